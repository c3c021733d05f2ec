"""The phone app's files over HTTP: addresses, versions, caching, compression, headers."""

import dataclasses
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from tests.web.conftest import Web

from tikiwallet.web.app_files import AppFiles, AppFilesError
from tikiwallet.web.application import build_application
from tikiwallet.web.headers import of_every_answer
from tikiwallet.web.pages import RESERVED, Pages

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "export const long = 'so that compressing pays';\n" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app of a few files."""
    for name, text in {
        "index.html": '<!doctype html><html data-sandbox="__SANDBOX__"><title>w</title>'
        '<script type="module" src="/app/__VERSION__/main.js"></script></html>',
        "sw.js": 'const FILES = ["__PRECACHE__"];\nconst VERSION = "__VERSION__";\n',
        "manifest.webmanifest": '{"icons": [{"src": "/app/__VERSION__/icons/a.svg"}]}',
        "app/main.js": SCRIPT,
        "app/views/home.js": "__VERSION__",
        "app/vendor/x.js.map": "{}",
        "app/vendor/LICENSE": "as you like",
        "icons/a.svg": "<svg/>",
        ".hidden": "x",
        "app/READ.md": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


async def nothing_here(_scope: Scope, _receive: Receive, send: Send) -> None:
    """In place of the API."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def http(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    pages = Pages(AppFiles.read(folder), nothing_here)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(pages), base_url="http://localhost:8000"
    ) as client:
        yield client


async def version_in(http: httpx.AsyncClient) -> str:
    found = re.search("/app/([0-9a-f]{16})/main.js", (await http.get("/")).text)
    assert found is not None
    return found[1]


async def test_the_page_is_at_every_address_of_the_app(http: httpx.AsyncClient) -> None:
    page = await http.get("/", headers=HTML)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/pay", "/history/2026/x", "/@mei.lin", "/pay/@mei.lin", "/welcome?oidc=t", "/é"):
        answer = await http.get(path, headers=HTML)
        assert (answer.status_code, answer.text) == (200, page.text), path
    head = await http.head("/pay", headers=HTML)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == page.headers["content-length"]


@pytest.mark.parametrize("first", sorted(RESERVED))
async def test_but_not_at_the_apis(http: httpx.AsyncClient, first: str) -> None:
    for path in (f"/{first}", f"/{first}/x"):
        assert (await http.get(path, headers=HTML)).status_code == 404


async def test_nor_for_what_asks_for_no_page(http: httpx.AsyncClient) -> None:
    for path in ("/favicon.ico", "/.well-known/security.txt", "/wp-login.php"):
        assert (await http.get(path, headers=HTML)).status_code == 404
    assert (await http.get("/pay", headers={"accept": "*/*"})).status_code == 404
    assert (await http.post("/pay", headers=HTML)).status_code == 404


async def test_versioned_files_are_kept_for_ever(http: httpx.AsyncClient) -> None:
    version = await version_in(http)
    for path, kind in (
        ("main.js", "text/javascript; charset=utf-8"),
        ("icons/a.svg", "image/svg+xml"),
        ("vendor/LICENSE", "text/plain; charset=utf-8"),
    ):
        answer = await http.get(f"/app/{version}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    # Only the three files with an address that stays have placeholders.
    assert (await http.get(f"/app/{version}/views/home.js")).text == "__VERSION__"


async def test_what_is_not_served(http: httpx.AsyncClient) -> None:
    version = await version_in(http)
    for path in (
        f"/app/{version}/READ.md",
        f"/app/{version}/.hidden",
        f"/app/{version}/index.html",
        f"/app/{version}/../sw.js",
        f"/app/{version}/main.js/",
        "/app/0000000000000000/main.js",
        "/app/main.js",
    ):
        assert (await http.get(path, headers=HTML)).status_code == 404, path


async def test_the_service_worker_knows_every_file(http: httpx.AsyncClient) -> None:
    version = await version_in(http)
    worker = await http.get("/sw.js")
    assert worker.headers["cache-control"] == "no-cache"
    files = re.search("FILES = (.*);", worker.text)
    assert files is not None
    assert json.loads(files[1]) == [
        "/",
        f"/app/{version}/icons/a.svg",
        f"/app/{version}/main.js",
        f"/app/{version}/views/home.js",
        "/manifest.webmanifest",
    ]
    assert f'VERSION = "{version}"' in worker.text
    manifest = await http.get("/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    assert manifest.json()["icons"][0]["src"] == f"/app/{version}/icons/a.svg"


async def test_a_page_is_asked_for_again_and_seldom_sent(http: httpx.AsyncClient) -> None:
    first = await http.get("/")
    assert first.headers["cache-control"] == "no-cache"
    known = {"if-none-match": f'"other", {first.headers["etag"]}'}
    again = await http.get("/", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    changed = await http.get("/", headers={"if-none-match": 'W/"other"'})
    assert changed.status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=1.0", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("br", False),
        ("identity", False),
    ],
)
async def test_compression(http: httpx.AsyncClient, accepted: str, packed: bool) -> None:
    path = f"/app/{await version_in(http)}/main.js"
    request = http.build_request("GET", path, headers={"accept-encoding": accepted})
    answer = await http.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert int(answer.headers["content-length"]) == len(raw)
    assert (gzip.decompress(raw) if packed else raw).decode() == SCRIPT
    assert len(raw) < len(SCRIPT) or not packed
    assert "accept-encoding" in answer.headers["vary"]


async def test_pages_take_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    answer = await http.get("/")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert "microphone=()" in answer.headers["permissions-policy"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("http://127.0.0.1:8000/pay?to=%40mei&x=1", "http://localhost:8000/pay?to=%40mei&x=1"),
        ("http://127.0.0.1/", "http://localhost/"),
        ("http://127.9.9.9:1/@a%0d%0ax", "http://localhost:1/@a%0D%0Ax"),
        ("http://[::1]:8000/", "http://localhost:8000/"),
        ("http://127.0.0.1:8000//evil.example/x", "http://localhost:8000//evil.example/x"),
    ],
)
async def test_pages_are_not_on_bare_addresses(
    http: httpx.AsyncClient, asked: str, leads: str
) -> None:
    answer = await http.get(asked, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (307, leads)


@pytest.mark.parametrize("host", ["localhost:8000", "192.0.2.1", "wallet.example", "[bad", ""])
async def test_other_hosts_stay(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/", headers={**HTML, "host": host})).status_code == 200


async def test_files_are_served_on_bare_addresses_too(http: httpx.AsyncClient) -> None:
    version = await version_in(http)
    for path in ("/sw.js", f"/app/{version}/main.js"):
        assert (await http.get(f"http://127.0.0.1:8000{path}")).status_code == 200


async def test_other_methods(http: httpx.AsyncClient) -> None:
    answer = await http.post("/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["code"] == "method_not_allowed"


def test_comments_on_lines_of_their_own_types_and_indentation_are_not_sent(folder: Path) -> None:
    lines = [
        "// gone",
        "/** gone */",
        "  /**",
        "   * gone",
        "   */",
        "/** @type {A} */ const a = 1;",
        'const b = "/* kept */"; // kept',
        "/* gone */",
        "export {",
        "  a,",
        "",
        "\tb };",
        "",
    ]
    (folder / "app" / "comments.js").write_text("\n".join(lines))
    served = AppFiles.read(folder)
    body = served.by_path[f"/app/{served.version}/comments.js"].body.decode()
    assert body.split("\n") == ["const a = 1;", lines[6], "export {", "a,", "b };", ""]


# A comment, a text, a pattern: what a quote or a brace means nothing in. A slash begins a pattern
# where a value may begin.
_ASIDE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | (?<=[(,=:?&|!;{}\[\n])\s*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/""",
    re.DOTALL | re.VERBOSE,
)


def _texts_over_several_lines(script: str) -> list[str]:
    """What stands before each backquoted text that has a line's end of its own."""
    found: list[str] = []
    # Of each text that is open: where it began, and how many braces are open in its `${`; none: we
    # are in its words.
    texts: list[tuple[int, int | None]] = []
    at = 0
    while at < len(script):
        in_words = bool(texts) and texts[-1][1] is None
        aside = None if in_words else _ASIDE.match(script, at)
        if aside is not None:
            at = aside.end()
            continue
        sign = script[at]
        began, braces = texts[-1] if texts else (0, None)
        if in_words:
            if sign == "\\":
                at += 1
            elif sign == "`":
                texts.pop()
            elif script.startswith("${", at):
                texts[-1] = (began, 0)
                at += 1
            elif sign == "\n":
                found.append(script[max(0, began - 4) : began])
        elif sign == "`":
            texts.append((at, None))
        elif braces is not None and sign in "{}":
            texts[-1] = (
                began,
                None if sign == "}" and not braces else braces + (1 if sign == "{" else -1),
            )
        at += 1
    assert not texts
    return found


def test_only_html_runs_over_several_lines() -> None:
    assert _texts_over_several_lines("a = html`<p>${f(`x${1}`, {})}\n</p>` + `\n`;") == [
        "html",
        "` + ",
    ]
    app = Path(__file__).parents[2] / "src/tikiwallet/pwa/app"
    scripts = sorted(app.rglob("*.js"))
    assert len(scripts) > 80
    for script in scripts:
        text = script.read_text()
        if "vendor" in script.parts:  # bundled: there is nothing to leave out
            assert not re.search(r"^\s", text, re.MULTILINE), script
        else:
            assert set(_texts_over_several_lines(text)) <= {"html"}, script


def test_the_version_follows_from_every_file(folder: Path) -> None:
    first = AppFiles.read(folder).version
    assert AppFiles.read(folder).version == first
    (folder / "app" / "views" / "home.js").write_text("other")
    second = AppFiles.read(folder).version
    (folder / "app" / "views" / "home.js").rename(folder / "app" / "views" / "house.js")
    assert len({first, second, AppFiles.read(folder).version}) == 3


def test_the_sandbox_is_told_to_the_page(folder: Path) -> None:
    inside, outside = (AppFiles.read(folder, sandbox=sandbox) for sandbox in (True, False))
    assert b'data-sandbox="true"' in inside.page.body
    assert b'data-sandbox="false"' in outside.page.body
    assert inside.version != outside.version


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("app/song.mp3", "no media type"),
        ("app/a b.js", "letters, digits"),
        ("main.js", "two files"),
    ],
)
def test_what_cannot_be_served_is_said_at_the_start(folder: Path, name: str, words: str) -> None:
    (folder / name).write_text("x")
    with pytest.raises(AppFilesError, match=words):
        AppFiles.read(folder)


def test_a_missing_file_is_said_too(folder: Path) -> None:
    (folder / "sw.js").unlink()
    with pytest.raises(AppFilesError, match=r"lacks sw\.js"):
        AppFiles.read(folder)
    with pytest.raises(AppFilesError, match="missing"):
        AppFiles.read(folder / "nowhere")


class TestBesideTheApi:
    async def test_the_packages_own_app_is_served(self, web: Web) -> None:
        page = await web.http.get("/", headers=HTML)
        assert page.status_code == 200
        assert "__VERSION__" not in page.text
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            assert (await web.http.get(path)).status_code == 200, path
        worker = (await web.http.get("/sw.js")).text
        assert "__PRECACHE__" not in worker
        assert "__VERSION__" not in worker

    async def test_no_address_of_the_api_is_a_page(self, web: Web) -> None:
        document = (await web.http.get("/openapi.json")).json()
        for path in [*document["paths"], "/docs", "/problems/x", "/openapi.json"]:
            assert path.split("/")[1] in RESERVED, path
            answer = await web.http.get(path.replace("{", "").replace("}", ""), headers=HTML)
            assert "data-sandbox" not in answer.text, path

    async def test_the_page_for_developers_is_the_sandboxs(self, web: Web) -> None:
        assert (await web.http.get("/dev", headers=HTML)).status_code == 200
        settings = dataclasses.replace(web.parts.settings, host="0.0.0.0")  # noqa: S104
        parts = dataclasses.replace(web.parts, settings=settings)
        transport = httpx.ASGITransport(build_application(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            assert (await http.get("/dev", headers=HTML)).status_code == 404
            assert (await http.get("/", headers=HTML)).status_code == 200

    async def test_one_worker_may_reach_the_local_network(self, web: Web) -> None:
        """It has a policy of its own; `tests/app/test_webtransport.py` says what that needs."""
        policies = {
            path: (await web.http.get(path)).headers["content-security-policy"]
            for path in re.findall(r'"(/app/[^"]+)"', (await web.http.get("/sw.js")).text)
        }
        reaching = [path for path, policy in policies.items() if "connect-src" in policy]
        assert [path.rpartition("/")[2] for path in reaching] == ["link-worker.js"]
        directives = policies[reaching[0]].split("; ")
        assert "default-src 'none'" in directives
        assert "connect-src https: 'unsafe-webtransport-hashes'" in directives
        assert "script-src" not in policies[reaching[0]]

    async def test_headers_of_every_answer(self, web: Web) -> None:
        for path in ("/", "/v1/me", "/healthz", "/nothing", "/docs", "/sw.js"):
            headers = (await web.http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers.get_list("content-security-policy")[1:] == []
            assert "strict-transport-security" not in headers

    async def test_pages_have_a_name_in_the_metrics(self, web: Web) -> None:
        for path in ("/", "/pay", "/pay/x", "/sw.js"):
            await web.http.get(path, headers=HTML)
        text = (await web.http.get("/metrics")).text
        assert 'route="/{page}",status="200"} 4.0' in text


def test_https_is_asked_for_once_it_is_there() -> None:
    sent = dict(of_every_answer("https://wallet.example.org"))
    assert sent[b"strict-transport-security"] == b"max-age=31536000"
    assert b"strict-transport-security" not in dict(of_every_answer("http://localhost:8000"))
