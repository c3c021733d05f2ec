"""Pictures of every screen: `make screens [ARGS="FOLDER [NAME...]"]`, into docs/screens by default.

A service of its own is started, with people in it who have done something; each screen is taken at
phone width in light and dark, the main ones at desktop width and in Arabic too.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import track
from tests.app.conftest import DESKTOP, PHONE, launch
from tests.app.gallery import Cast, Shot, shots, stage, state_of, visit
from tests.app.people import People
from tests.app.service import serving, url_of
from tests.faults.installation import Installation

_FOLDER = Path(__file__).parents[2] / "docs" / "screens"
# What it is called, theme, language, desktop.
_LOOKS = (
    ("phone-light", "light", "en-SG", False),
    ("phone-dark", "dark", "en-SG", False),
    ("phone-arabic", "light", "ar-AE", False),
    ("desktop-light", "light", "en-SG", True),
    ("desktop-dark", "dark", "en-SG", True),
)


def _page(browser: Browser, site: str, cast: Cast, shot: Shot, look: tuple[str, str, bool]) -> Page:
    theme, language, desktop = look
    context = browser.new_context(
        base_url=site,
        viewport=DESKTOP if desktop else PHONE,  # type: ignore[arg-type]
        device_scale_factor=1 if desktop else 1.5,
        is_mobile=not desktop,
        has_touch=not desktop,
        color_scheme=theme,  # type: ignore[arg-type]
        locale=language,
        storage_state=state_of(cast, shot),
        reduced_motion="reduce",
    )
    return context.new_page()


def main(folder: Path, names: set[str]) -> None:
    """Take them; `names` empty: all."""
    folder.mkdir(parents=True, exist_ok=True)
    with serving(Installation.empty()) as installation, sync_playwright() as playwright:
        site = url_of(installation)
        browser = launch(playwright)
        assert browser is not None, "Debian's package chromium is not installed"
        people = People(site)
        cast = stage(people)
        wanted = [shot for shot in shots(cast) if not names or shot.name in names]
        for name, *look in _LOOKS:
            theme, language, desktop = str(look[0]), str(look[1]), bool(look[2])
            pages: dict[str, Page] = {}
            for shot in track(wanted, f"{name:14}"):
                if not shot.wide and (desktop or language.startswith("ar")):
                    continue
                if shot.who not in pages:
                    about = (theme, language, desktop)
                    pages[shot.who] = _page(browser, site, cast, shot, about)
                visit(pages[shot.who], shot)
                pages[shot.who].screenshot(path=folder / f"{shot.name}-{name}.png")
            for page in pages.values():
                page.context.close()
        people.close()
        browser.close()


if __name__ == "__main__":
    _, *words = sys.argv
    main(Path(words[0]) if words else _FOLDER, set(words[1:]))
