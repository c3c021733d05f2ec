"""The app's offline modules in a page, as functions of plain values; wire.js is the other half."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

_IN_PAGE: Final = Path(__file__).with_name("wire.js").read_text(encoding="utf-8")
_BASE: Final = "document.querySelector('script[type=module]').src.replace(/[^/]*$/, '')"


class Wire:
    """What a page of the app that has loaded them answers."""

    def __init__(self, page: Page) -> None:
        page.goto("/help")
        page.get_by_role("heading", name="Help", level=1).wait_for()
        page.evaluate(_IN_PAGE, page.evaluate(_BASE))
        self._page = page

    def __call__(self, call: str, *arguments: Any) -> Any:
        """What `call` of wire.js gives for these."""
        return self._page.evaluate("([call, all]) => wire[call](...all)", [call, arguments])
