"""What a person may call the device behind a request: `Firefox · Android`.

Browsers' names say little by now, and that little is enough to tell one's own phone from a
stranger's computer. The versions are left out, so that an update stays the same device.
"""

import re
from typing import Final

LONGEST: Final = 60
_MIDDLE: Final = " · "

# The first that is found counts: most of them claim to be the ones below as well.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_PRODUCT: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]*")


def describe(user_agent: str) -> str:
    """A few words, or nothing when the header tells nothing. A program is called by its own name
    (`tiki-terminal/1.2` is `tiki-terminal`)."""
    if not user_agent.startswith("Mozilla/"):
        product = _PRODUCT.match(user_agent.partition("/")[0])
        return product[0].strip()[:LONGEST] if product else ""
    found = [
        next((name for mark, name in table if mark in user_agent), "")
        for table in (_BROWSERS, _SYSTEMS)
    ]
    return _MIDDLE.join(name for name in found if name)
