"""The phone app's files, read once when a process starts: their version, their addresses, and each
of them compressed.

All files are named by one version, a hash over all of them, so that no page ever runs parts of
two releases and every file can be kept for ever. Three files have addresses that stay: the page
(`index.html`), the service worker (`sw.js`) and the manifest; in these the placeholders
`__VERSION__`, `__SANDBOX__` and, in the service worker, `["__PRECACHE__"]` are filled in.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

PAGE: Final = "index.html"
ROOT: Final = "/app"
# The one file that may reach beyond this host (web/headers.py says how far).
_LINK_WORKER: Final = "app/offline/link-worker.js"
_PRECACHE: Final = b'["__PRECACHE__"]'
# At these addresses and no other, whatever the version.
_STAYING: Final = {PAGE: "/", "sw.js": "/sw.js", "manifest.webmanifest": "/manifest.webmanifest"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TYPES: Final = {
    "": "text/plain; charset=utf-8",  # LICENSE
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff2": "font/woff2",
}
# A comment on lines of its own. Only there, where no text of a program can be taken for one.
_COMMENT: Final = re.compile(
    rb"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.DOTALL | re.MULTILINE
)
# A type within a line, for the checker: `/** @type {A} */`. No text of a program says that.
_TYPE: Final = re.compile(rb"/\*\* @(?:type|param) [^*\n]*\*/ ?")
# Empty lines and the space that a line begins with. HTML is the only text of a program that runs
# over several lines (a test holds that), and HTML does not tell one space from many.
_INDENT: Final = re.compile(rb"^\s+", re.MULTILINE)
# Nothing that the app needs in order to run.
_NOT_PRECACHED: Final = ("", "map", "txt")


class AppFilesError(Exception):
    """The folder cannot be served; the text is for whoever packs it."""


@dataclass(frozen=True, slots=True)
class AppFile:
    """One file. `packed` is its gzip, where that is smaller; `kept` whether it never changes;
    `reaches_out` whether it connects to others than this host."""

    media_type: bytes
    body: bytes
    packed: bytes | None
    etag: bytes
    kept: bool
    reaches_out: bool


@dataclass(frozen=True, slots=True)
class AppFiles:
    """Every file by its address. `page` is the answer to every address of the app."""

    version: str
    page: AppFile
    by_path: dict[str, AppFile]

    @classmethod
    def read(cls, folder: Traversable | None = None, *, sandbox: bool = False) -> "AppFiles":
        """The files of the package's own app, or of `folder`. Raises `AppFilesError`."""
        found = dict(_walk(folder or files("tikiwallet") / "pwa", ""))
        for name in _STAYING:
            if name not in found:
                raise AppFilesError(f"the app lacks {name}")
        version = _version(found, sandbox=sandbox)
        paths = {name: _path(name, version) for name in found}
        by_path: dict[str, AppFile] = {}
        for name, path in paths.items():
            if path in by_path:
                raise AppFilesError(f"two files of the app would be {path}")
            body = _lean(name, found[name])
            if name in _STAYING:
                body = body.replace(b"__VERSION__", version.encode())
                body = body.replace(b"__SANDBOX__", b"true" if sandbox else b"false")
            if name == "sw.js":
                body = body.replace(_PRECACHE, msgspec.json.encode(_precached(paths)))
            by_path[path] = _file(name, body, kept=name not in _STAYING)
        return cls(version, by_path["/"], by_path)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        raise AppFilesError(f"the app's folder {folder.name} is missing")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if entry.name.startswith((".", "__pycache__")) or entry.name.endswith((".md", ".d.ts")):
            continue
        if not _NAME.fullmatch(entry.name):
            raise AppFilesError(f"{name}: name files of the app with letters, digits and ._-")
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        elif _ending(name) not in _TYPES:
            raise AppFilesError(f"{name}: no media type is known for this ending")
        else:
            yield name, entry.read_bytes()


def _lean(name: str, body: bytes) -> bytes:
    """A script or stylesheet without its comments, types and indentation, which are for readers of
    the source: a fifth of what a phone would load."""
    if _ending(name) not in ("css", "js"):
        return body
    return _INDENT.sub(b"", _TYPE.sub(b"", _COMMENT.sub(b"", body)))


def _version(found: dict[str, bytes], *, sandbox: bool) -> str:
    digest = hashlib.sha256(b"sandbox" if sandbox else b"")
    for name, body in sorted(found.items()):
        digest.update(f"{len(name)} {name} {len(body)} ".encode())
        digest.update(body)
    return digest.hexdigest()[:16]


def _path(name: str, version: str) -> str:
    return _STAYING.get(name) or f"{ROOT}/{version}/{name.removeprefix('app/')}"


def _precached(paths: dict[str, str]) -> list[str]:
    return sorted(
        path
        for name, path in paths.items()
        if name != "sw.js" and _ending(name) not in _NOT_PRECACHED
    )


def _ending(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[2] if "." in name.rpartition("/")[2] else ""


def _file(name: str, body: bytes, *, kept: bool) -> AppFile:
    packed: bytes | None = gzip.compress(body, 9, mtime=0)
    if packed is not None and len(packed) >= len(body):
        packed = None
    # Weak: the compressed and the plain form carry the same one.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    media_type = _TYPES[_ending(name)].encode()
    return AppFile(media_type, body, packed, etag, kept, reaches_out=name == _LINK_WORKER)
