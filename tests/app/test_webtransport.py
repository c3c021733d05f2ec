"""A phone's browser and a terminal over the local network, for real: Chromium to aioquic."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route
from tests.app.conftest import OpenPage, Troubles, chromium_options
from tests.app.nearby import INVITE, PAY_BYTES, Terminal, receipt_for, terminal_nearby

from tikiwallet.terminal.framed import packed
from tikiwallet.terminal.link import BODY_MOST, Kind
from tikiwallet.terminal.short_string import commitment, digits
from tikiwallet.terminal.webtransport_limits import Limits

WITHIN_MS = 500
PAY = b"pay".ljust(PAY_BYTES, b"p")
# The app's own modules, as its pages have them.
_LOAD = """async () => {
  const script = document.querySelector('script[type="module"]').src;
  const folder = script.slice(0, script.lastIndexOf("/") + 1) + "offline/";
  window.nearby = await import(folder + "webtransport.js");
  window.short = await import(folder + "short-string.js");
}"""
# Pays by one link; `pause`: goes away after the invite instead.
_PAY = """async ({ text, pay, pause }) => {
  const { Kind, openLink, placeOf } = window.nearby;
  const begun = performance.now();
  try {
    const link = await openLink(placeOf(text));
    const opened = performance.now() - begun;
    const invite = (await link.receive()).body;
    if (pause) return { digits: link.digits, reason: await link.receive().catch((e) => e.reason) };
    link.send(Kind.MESSAGE, new Uint8Array(pay));
    const receipt = (await link.receive()).body;
    const ms = performance.now() - begun;
    link.close();
    return { invite: [...invite], receipt: [...receipt], digits: link.digits, ms, opened };
  } catch (error) {
    return { reason: error.reason ?? String(error) };
  }
}"""
# Says `data` on a stream, without the app's modules, and returns what the terminal says to that.
_SAY = """async ({ text, data, finish }) => {
  const { host, port, hash } = window.nearby.placeOf(text);
  const transport = new WebTransport(`https://${host}:${port}/nearby`,
    { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
  await transport.ready;
  const stream = await transport.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  writer.write(new Uint8Array(data)).catch(() => {});
  if (finish) writer.close().catch(() => {});
  try {
    for (;;) if ((await reader.read()).done) return "ended";
  } catch (error) {
    return error.streamErrorCode;
  } finally {
    transport.close();
  }
}"""


@pytest.fixture
def terminal(site: str) -> Iterator[Terminal]:
    with terminal_nearby(site, Limits(quiet=1, lost=5)) as terminal:
        yield terminal


def loaded(page: Page) -> Page:
    """The app's page with what this is about."""
    page.goto("/")
    page.evaluate(_LOAD)
    return page


@pytest.fixture
def phone(open_page: OpenPage) -> Page:
    return loaded(open_page())


def pay(phone: Page, text: str, content: bytes = PAY, *, pause: bool = False) -> dict[str, Any]:
    asked = {"text": text, "pay": list(content), "pause": pause}
    answer: dict[str, Any] = phone.evaluate(_PAY, asked)
    return answer


def test_a_payment_within_half_a_second(phone: Page, terminal: Terminal) -> None:
    times = []
    for number in range(5):
        content = bytes([number]) * PAY_BYTES
        answer = pay(phone, terminal.server.text, content)
        assert "reason" not in answer
        assert bytes(answer["invite"]) == INVITE
        assert bytes(answer["receipt"]) == receipt_for(content)
        assert answer["digits"] == terminal.shop.digits[-1]
        times.append((round(answer["ms"]), round(answer["opened"])))
    print(f"from nothing to the receipt, and of that to the digits, in ms: {times}")  # noqa: T201
    assert max(whole for whole, _ in times) <= WITHIN_MS
    assert len(set(terminal.shop.digits)) == 5


def test_lost_in_the_middle_the_same_bytes_go_over_another_link(
    phone: Page, terminal: Terminal
) -> None:
    terminal.shop.hang_up_after_pay = True
    assert pay(phone, terminal.server.text) == {"reason": "ended"}
    answer = pay(phone, terminal.server.text)
    assert bytes(answer["receipt"]) == receipt_for(PAY)
    assert terminal.shop.received == 2
    assert terminal.shop.paid == {PAY}


def test_a_phone_that_goes_away_keeps_nobody_else_waiting(
    open_page: OpenPage, phone: Page, terminal: Terminal
) -> None:
    gone = loaded(open_page())
    gone.evaluate("(text) => { window.link = nearby.openLink(nearby.placeOf(text)); return link.then(() => 0) }", terminal.server.text)  # fmt: skip  # noqa: E501
    gone.close()
    assert bytes(pay(phone, terminal.server.text)["receipt"]) == receipt_for(PAY)


def test_who_says_nothing_is_told_so(phone: Page, terminal: Terminal) -> None:
    answer = pay(phone, terminal.server.text, pause=True)
    assert answer["reason"] == "stalled"
    assert answer["digits"] == terminal.shop.digits[-1]


def test_a_certificate_with_another_hash_is_refused(
    phone: Page, terminal: Terminal, troubles: Troubles
) -> None:
    where, _, hash_ = terminal.server.text.rpartition("/")
    other = ("B" if hash_[0] == "A" else "A") + hash_[1:]
    assert pay(phone, f"{where}/{other}") == {"reason": "unreachable"}
    assert all("Failed to establish a connection" in trouble for trouble in troubles)
    troubles.clear()
    assert terminal.shop.digits == []


def test_pages_of_others_are_refused(phone: Page, troubles: Troubles) -> None:
    with terminal_nearby("https://wallet.example") as terminal:
        assert pay(phone, terminal.server.text) == {"reason": "unreachable"}
        assert terminal.shop.digits == []
    troubles.clear()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("https://w.example/nearby#192.168.1.2:4433/" + "A" * 43, ["192.168.1.2", 4433]),
        ("https://w.example/nearby#[fe80::1]:1/" + "_" * 43, ["[fe80::1]", 1]),
        ("https://w.example/nearby#shop.example:4433/" + "A" * 43, None),
        ("https://w.example/nearby#192.168.1.2:65536/" + "A" * 43, None),
        ("https://w.example/nearby#192.168.1.2:4433/" + "A" * 42, None),
        ("https://w.example/pay/mei", None),
    ],
)
def test_what_is_a_terminals_address(phone: Page, text: str, place: object) -> None:
    script = "(text) => { const p = nearby.placeOf(text); return p && [p.host, p.port]; }"
    assert phone.evaluate(script, text) == place


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "172.32.0.1", "[2001:db8::1]", "134744072", "1.2.3.4.5", "[1:2]"]
)
def test_nothing_outside_the_local_network_is_reached(phone: Page, host: str) -> None:
    assert pay(phone, f"https://w.example/nearby#{host}:443/{'A' * 43}") == {"reason": "elsewhere"}


def test_the_digits_are_made_as_the_terminal_makes_them(phone: Page) -> None:
    sides, one, two = bytes(range(32)), b"\1" * 32, b"\2" * 32
    script = """async ([sides, one, two]) => {
      const [s, a, b] = [sides, one, two].map((part) => new Uint8Array(part));
      return [await short.digits(s, a, b), [...await short.commitment(s, a)]];
    }"""
    shown, committed = phone.evaluate(script, [list(sides), list(one), list(two)])
    assert shown == digits(sides, one, two)
    assert bytes(committed) == commitment(sides, one)


@pytest.mark.parametrize(
    ("data", "finish", "answer"),
    [
        (b"\xff\xff\xff\xff", False, 1),
        ((BODY_MOST + 2).to_bytes(4, "big") + bytes(BODY_MOST), False, 1),
        (b"\0\0\0\1\x09", False, 1),
        (packed(Kind.MESSAGE, b"no handshake"), False, 1),
        (packed(Kind.COMMIT, bytes(32)) + packed(Kind.REVEAL, bytes(32)), False, 1),
        (packed(Kind.PING, b"") * 20, False, 1),
        (b"\0\0", True, 4),
    ],
    ids=["length", "over", "kind", "order", "commitment", "flood", "torn"],
)
def test_what_is_no_frame_ends_the_stream_and_nothing_else(
    open_page: OpenPage, phone: Page, terminal: Terminal, data: bytes, finish: bool, answer: int
) -> None:
    stranger = loaded(open_page(bypass_csp=True))
    asked = {"text": terminal.server.text, "data": list(data), "finish": finish}
    assert stranger.evaluate(_SAY, asked) == answer
    assert terminal.shop.digits == []
    assert bytes(pay(phone, terminal.server.text)["receipt"]) == receipt_for(PAY)


@pytest.mark.parametrize(
    ("policy", "works"),
    [
        ("default-src 'none'; connect-src https: 'unsafe-webtransport-hashes'", True),
        ("default-src 'none'; connect-src 'self' 'unsafe-webtransport-hashes'", False),
        ("default-src 'none'", False),
    ],
)
def test_what_the_workers_policy_needs(
    open_page: OpenPage, terminal: Terminal, policy: str, works: bool, troubles: Troubles
) -> None:
    """Without the keyword Chromium 150 connects too; the standard asks for it."""

    def with_other_policy(route: Route) -> None:
        answer = route.fetch()
        headers = {**answer.headers, "content-security-policy": policy}
        route.fulfill(response=answer, headers=headers)

    # What is answered here counts as from the internet, so the permission is asked for.
    page = open_page(permissions=["local-network-access"])
    page.context.route("**/link-worker.js", with_other_policy)
    answer = pay(loaded(page), terminal.server.text)
    assert ("receipt" in answer) is works
    troubles.clear()


def test_the_pages_own_policy_is_as_tight_as_before(
    phone: Page, terminal: Terminal, troubles: Troubles
) -> None:
    script = "async (text) => { const { host, port } = nearby.placeOf(text); await new WebTransport(`https://${host}:${port}/nearby`).ready }"  # noqa: E501
    with pytest.raises(Exception, match="violates the document's Content Security Policy"):
        phone.evaluate(script, terminal.server.text)
    assert all("connect-src 'self'" in trouble for trouble in troubles)
    troubles.clear()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_wallet_on_the_internet_asks_for_the_local_network(
    chromium: Browser, site: str, terminal: Terminal, allowed: bool
) -> None:
    """Told that `site` is on the internet, Chromium asks; without a screen that is a no."""
    options = chromium_options()
    assert options is not None
    port = site.rpartition(":")[2]
    public = f"--ip-address-space-overrides=127.0.0.1:{port}=public,[::1]:{port}=public"
    options["args"] = [*options["args"], public]
    browser = chromium.browser_type.launch(**options)
    try:
        permissions = ["local-network-access"] if allowed else []
        page = loaded(browser.new_context(base_url=site, permissions=permissions).new_page())
        answer = pay(page, terminal.server.text)
        assert ("receipt" in answer) if allowed else answer == {"reason": "refused"}
        words = "new nearby.LinkLost('refused').code"
        assert page.evaluate(words) == "offline_link_refused"
    finally:
        browser.close()
