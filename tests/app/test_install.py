"""The app can be installed, and its size is what a slow network bears."""

import gzip
import json
import re
import struct
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Response
from tests.app.conftest import OpenPage
from tests.app.people import People
from tests.app.test_offline import installed

from tikiwallet.languages import LANGUAGES

KB = 1024
SCRIPT_MAX = 60 * KB  # gzipped, on the way to a first screen
FIRST_MAX = 100 * KB
ALL_MAX = 150 * KB
# Money without a network, beside all the rest: what handles it, and its screens with their words.
OFFLINE_MAX = 40 * KB
OFFLINE_SCREENS_MAX = 20 * KB
# The reader of QR codes, and what only the phone's own screen shows.
_LAZY = re.compile(r"^/app/[^/]+/(vendor/lazy|icons/\d|icons/maskable)")
_OFFLINE = re.compile(r"^/app/[^/]+/(\w+/)*offline[/.]")
_HANDLING = re.compile(r"^/app/[^/]+/offline/")


def _manifest(page: Page) -> dict[str, Any]:
    told = page.context.new_cdp_session(page).send("Page.getAppManifest")
    assert told["errors"] == []
    manifest: dict[str, Any] = json.loads(told["data"])
    return manifest


def test_the_manifest_is_valid_and_the_service_worker_in_control(
    open_page: OpenPage, site: str
) -> None:
    page = open_page(service_workers="allow")
    page.goto("/")
    manifest = _manifest(page)
    assert manifest["display"] == "standalone"
    assert {"name", "short_name", "start_url", "id", "theme_color"} <= manifest.keys()
    sizes = set()
    for icon in manifest["icons"]:
        answer = httpx.get(f"{site}{icon['src']}").raise_for_status()
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", answer.content[16:24])
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add(width)
    assert {192, 512} <= sizes  # what browsers ask for before they offer to install
    assert any(icon.get("purpose") == "maskable" for icon in manifest["icons"])
    installed(page)
    assert page.evaluate("() => navigator.serviceWorker.controller.state") == "activated"
    problems = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
    # A context of Playwright is private, where nothing can be installed; nothing else may be wrong.
    found = {one["errorId"] for one in problems["installabilityErrors"]}
    assert found <= {"in-incognito"}


def _loaded(page: Page, path: str, ready: str) -> dict[str, int]:
    """Bytes by address, gzipped, that a first visit asks for until `ready` is there."""
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        if response.request.service_worker is None and "/v1/" not in response.url:
            sizes[response.url] = len(gzip.compress(response.body(), 9, mtime=0))

    page.on("response", note)
    page.goto(path)
    page.locator(ready).first.wait_for()
    page.wait_for_load_state("networkidle")
    return sizes


@pytest.mark.parametrize("language", ["en-SG", "hi-IN"])  # the words of Hindi weigh most
@pytest.mark.parametrize(("who", "ready"), [("out", ".hero"), ("in", ".balance-pay")])
def test_a_first_screen_is_light(
    open_page: OpenPage, people: People, who: str, ready: str, language: str
) -> None:
    state = None
    if who == "in":
        person = people.sign_up(f"light.{language[:2]}")
        person.open_wallet("SGD", 100)
        state = person.state
    page = open_page(state, language=language)
    sizes = _loaded(page, "/", ready)
    script = sum(size for url, size in sizes.items() if url.endswith(".js"))
    print(f"{who}: {script} bytes of script, {sum(sizes.values())} in all, {len(sizes)} files")  # noqa: T201
    assert script <= SCRIPT_MAX
    assert sum(sizes.values()) <= FIRST_MAX
    assert _languages(sizes) == {language[:2]}


def _languages(urls: Iterable[str]) -> set[str]:
    """Those with words among these files."""
    return {found[1] for url in urls if (found := re.search(r"/strings/(\w+)/", url))}


@pytest.fixture(scope="module")
def sizes(site: str) -> dict[str, int]:
    """Bytes by address, gzipped, of all that the app consists of."""
    worker = httpx.get(f"{site}/sw.js").raise_for_status().text
    found = re.search(r"const FILES = (\[.*?\]);", worker, re.DOTALL)
    assert found is not None
    return {url: len(_packed(site, url)) for url in json.loads(found[1]) if not _LAZY.match(url)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_app_is_light_in_every_language(sizes: dict[str, int], language: str) -> None:
    # A phone loads every screen, and the words of the language that its owner reads; those of
    # another only when it is chosen.
    mine = {
        url: size
        for url, size in sizes.items()
        if _languages([url]) <= {language} and not _OFFLINE.match(url)
    }
    print(f"{language}: {len(mine)} files, {sum(mine.values())} bytes")  # noqa: T201
    assert any(url.endswith("/screens/home.js") for url in mine)
    assert sum(url.count(f"/strings/{language}/") for url in mine) == 5
    assert sum(mine.values()) <= ALL_MAX, sorted(mine.items(), key=lambda one: -one[1])[:12]


@pytest.mark.parametrize("language", LANGUAGES)
def test_offline_money_is_light(sizes: dict[str, int], language: str) -> None:
    offline = {
        url: size
        for url, size in sizes.items()
        if _languages([url]) <= {language} and _OFFLINE.match(url)
    }
    handling = sum(size for url, size in offline.items() if _HANDLING.match(url))
    shown = sum(offline.values()) - handling
    print(f"offline, {language}: {handling} bytes that handle money, {shown} of screens")  # noqa: T201
    assert any(url.endswith("/offline/messages.js") for url in offline)
    assert handling <= OFFLINE_MAX, offline
    assert shown <= OFFLINE_SCREENS_MAX, offline


def test_other_languages_are_not_kept_before_they_are_chosen(
    open_page: OpenPage, people: People
) -> None:
    kept = """async () => {
      const names = await caches.keys();
      const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
      return all.flat().map(({ url }) => url);
    }"""
    page = open_page(people.sign_up("light.id").state, language="id-ID", service_workers="allow")
    page.goto("/settings")
    installed(page)
    page.wait_for_function(
        f"async () => (await ({kept})()).some((url) => url.endsWith('strings/id/help.js'))"
    )
    assert _languages(page.evaluate(kept)) == {"id"}
    page.locator("select").first.select_option("zh")
    page.locator("html[lang=zh]").wait_for()
    page.wait_for_function(
        f"async () => (await ({kept})()).some((url) => url.endsWith('strings/zh/help.js'))"
    )
    assert _languages(page.evaluate(kept)) == {"id", "zh"}


def test_every_module_loads_as_it_is_served(open_page: OpenPage, site: str) -> None:
    worker = httpx.get(f"{site}/sw.js").raise_for_status().text
    found = re.search(r"const FILES = (\[.*?\]);", worker, re.DOTALL)
    assert found is not None
    files = [url for url in json.loads(found[1]) if re.search(r"(?<!/main|/boot)\.js$", url)]
    page = open_page()
    page.goto("/")
    failed = page.evaluate(
        """async (files) => {
          const tries = files.map((url) => import(url).then(() => null, (why) => `${url}: ${why}`));
          return (await Promise.all(tries)).filter(Boolean);
        }""",
        files,
    )
    assert failed == []


def _packed(site: str, url: str) -> bytes:
    body = httpx.get(f"{site}{url}").raise_for_status().content
    return min(body, gzip.compress(body, 9, mtime=0), key=len)
