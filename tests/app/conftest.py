"""The phone app in a real Chromium against a real `serve`, one for all tests of this folder.

The browser is the system's (scripts/system-tools installs Debian's package chromium); nothing is
downloaded. Every page that is opened here fails its test when a script of ours fails in it or the
content security policy stops something.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from tests.app.people import People
from tests.app.service import serving, url_of
from tests.app.wire import Wire
from tests.faults.installation import Installation
from tests.servers import run_apart

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# What the browser says about answers that are refusals, which is what some tests are about.
_REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of (4|5)\d\d")
_NO_NETWORK = re.compile(r"net::ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)")

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """The service, while it runs."""
    with serving(Installation.empty()) as installation:
        yield installation


@pytest.fixture(scope="session")
def site(installation: Installation) -> str:
    """Where the service listens, as a person would type it."""
    return url_of(installation)


@pytest.fixture
def hops(installation: Installation) -> Iterator[int]:
    """How often a test's offline money, in SGD, may be passed on; a payment is S$30 at most."""
    most, tiers = 3, ("0", "2")
    change = ("--payment", "3000", "--pass", "5000", "--hops", str(most))
    for tier in tiers:
        _limits(installation, "set", "SGD", tier, *change)
    yield most
    for tier in tiers:
        _limits(installation, "reset", "SGD", tier)


def _limits(installation: Installation, *words: str) -> None:
    status, said = run_apart(installation.command("admin", "offline", "limits", *words))
    assert status == 0, said


@pytest.fixture(scope="session")
def people(site: str) -> Iterator[People]:
    """Signs people up without a screen, for tests that are about something else."""
    people = People(site)
    yield people
    people.close()


def chromium_options() -> dict[str, Any] | None:
    """How to launch the system's Chromium, with a camera that is none; None where it is not
    installed."""
    if _CHROMIUM is None:
        return None
    arguments = ["--use-fake-device-for-media-stream"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's own needs another user than root
    return {"executable_path": _CHROMIUM, "args": arguments}


def launch(playwright: Playwright) -> Browser | None:
    """The system's Chromium; None where it is not installed."""
    options = chromium_options()
    return None if options is None else playwright.chromium.launch(**options)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. One a module: while Playwright is there its event loop runs, and no test of
    another folder could run its own."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            pytest.skip("Debian's package chromium is not installed")
        yield browser
        browser.close()


class Troubles(list[str]):
    """What went wrong inside pages."""

    def watch(self, page: Page) -> None:
        """Note what this page complains about from now on."""
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._heard(page, said.type, said.text))

    def _heard(self, page: Page, kind: str, text: str) -> None:
        if kind == "error" and not _REFUSAL.search(text) and not _NO_NETWORK.search(text):
            self.append(f"{page.url}: {text}")


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    """Fails the test at its end when a page of it had any."""
    found = Troubles()
    yield found
    assert not found


@pytest.fixture
def open_page(chromium: Browser, site: str, troubles: Troubles) -> Iterator[OpenPage]:
    """Opens a page in a browser context of its own, phone-sized unless told otherwise:
    `open_page(state=None, theme="light", language="en-SG", desktop=False, **context options)`.

    The app keeps no files there, which takes longer than most tests: `service_workers="allow"` for
    one that goes on without a network."""
    contexts: list[BrowserContext] = []

    def open_page(
        state: Any = None,
        *,
        theme: str = "light",
        language: str = "en-SG",
        desktop: bool = False,
        **options: Any,
    ) -> Page:
        context = chromium.new_context(
            base_url=site,
            viewport=DESKTOP if desktop else PHONE,  # type: ignore[arg-type]
            is_mobile=not desktop,
            has_touch=not desktop,
            color_scheme=theme,  # type: ignore[arg-type]
            locale=language,
            storage_state=state,
            reduced_motion="reduce",
            **{"service_workers": "block", **options},
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        troubles.watch(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def wire(open_page: OpenPage) -> Wire:
    """The app's offline modules, in a page of their own."""
    return Wire(open_page())


def add_fingerprint_reader(page: Page, *, prf: bool = False) -> None:
    """Give the page's device a reader that always knows whose finger it is. `prf`: it makes keys
    of fingers, too."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    reader = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        "hasPrf": prf,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": reader})


@pytest.fixture(scope="session")
def axe_script() -> str:
    """axe-core's source."""
    return (files("axe_playwright_python") / "axe.min.js").read_text()
