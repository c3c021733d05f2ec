"""Headers that tell browsers what our answers may do, and what other sites may do with them."""

from typing import Final

Header = tuple[bytes, bytes]

NO_SNIFF: Final[Header] = (b"x-content-type-options", b"nosniff")
CSP: Final = b"content-security-policy"

# For pages: everything from this host, nothing inline, nothing from elsewhere, in nobody's frame.
_PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_FEATURES_OFF: Final = (
    "accelerometer", "display-capture", "geolocation", "gyroscope", "hid",
    "magnetometer", "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip
_FEATURES_OURS: Final = ("camera", "publickey-credentials-create", "publickey-credentials-get")
_FEATURES: Final = ", ".join(
    [f"{name}=(self)" for name in _FEATURES_OURS] + [f"{name}=()" for name in _FEATURES_OFF]
)

PAGE: Final[list[Header]] = [
    (CSP, _PAGE_POLICY.encode()),
    (b"permissions-policy", _FEATURES.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
]
# For answers that are no pages: should a browser show one, it does nothing.
INERT: Final[Header] = (CSP, b"default-src 'none'; frame-ancestors 'none'")

# For the worker that talks to a terminal nearby (pwa/app/offline/link-worker.js), which has a
# policy of its own, so that the page's stays as it is: any address, as nobody knows those of
# terminals, and certificates named by their hash. What it does with that is its own code's choice.
LINK_WORKER: Final[Header] = (
    CSP,
    b"default-src 'none'; connect-src https: 'unsafe-webtransport-hashes'; frame-ancestors 'none'",
)


def of_every_answer(public_url: str) -> list[Header]:
    """What every answer carries. Addresses of ours are told to nobody else, nothing of ours is
    embedded elsewhere, and once seen under https we are never asked without."""
    headers = [
        NO_SNIFF,
        # With `no-referrer` browsers would send `Origin: null` to ourselves.
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    if public_url.startswith("https://"):
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers
