"""A newer version of the app: told while the one before still runs, and taken with one press."""

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import People
from tests.app.service import serving, url_of
from tests.app.test_offline import installed
from tests.faults.installation import Installation
from tests.servers import run_apart


@pytest.fixture
def installation() -> Iterator[Installation]:
    """A service of its own, whose program is replaced under way."""
    with serving(Installation.empty()) as installation:
        yield installation


@pytest.fixture
def site(installation: Installation) -> str:
    return url_of(installation)


def _newer_program(folder: Path) -> Path:
    """A copy of the package whose app calls its home screen otherwise; where Python finds it."""
    package = folder / "tikiwallet"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(str(files("tikiwallet"))), package, ignore=ignored)
    words = package / "pwa" / "app" / "strings" / "en" / "core.js"
    text = words.read_text()
    newer = re.sub(r'("nav\.home": )"Home"', r'\1"Lagoon"', text)
    assert newer != text
    words.write_text(newer)
    return folder


def _version(page: Page) -> str:
    """The version whose files the page runs."""
    address = page.locator('script[type="module"]').get_attribute("src")
    assert address is not None
    return address.split("/")[2]


def test_a_newer_version_is_told_and_taken(
    open_page: OpenPage, installation: Installation, site: str, tmp_path: Path
) -> None:
    people = People(site)
    page = open_page(people.sign_up("update.isa").state, service_workers="allow")
    people.close()
    page.goto("/")
    installed(page)
    home = page.get_by_role("navigation", name="Main").get_by_role("link", name="Home")
    expect(home).to_be_visible()
    older = _version(page)

    run_apart(installation.stop())
    installation.environment["PYTHONPATH"] = str(_newer_program(tmp_path))
    run_apart(installation.start("serve").ready(installation.port))

    page.reload()  # the browser looks for a newer service worker whenever a page opens
    update = page.get_by_role("button", name="Update now")
    expect(update).to_be_visible()
    expect(page.get_by_text("A newer version is ready.")).to_be_visible()
    # What runs is the older one, whole, until it is told to go.
    expect(home).to_be_visible()
    assert _version(page) == older

    update.click()
    expect(
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Lagoon")
    ).to_be_visible()
    assert _version(page) != older
    expect(update).to_have_count(0)
