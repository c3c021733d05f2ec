"""The file that TIKIWALLET_OIDC_FILE names: providers of identities (OpenID Connect), TOML or JSON.

[google]
name = "Google"
issuer = "https://accounts.google.com"
client_id = "..."
client_secret = "..."

[apple]
name = "Apple"
issuer = "https://appleid.apple.com"
client_id = "org.example.wallet"
team_id = "..."                      # instead of a secret: Apple wants one signed with
key_id = "..."                       # a key of the operator's
key_file = "/etc/tikiwallet/apple.p8"
"""

import ipaddress
import json
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,29}")
_ALWAYS: Final = ("name", "issuer", "client_id")
_SIGNED: Final = ("team_id", "key_id", "key_file")
_MEMBERS: Final = (*_ALWAYS, "client_secret", *_SIGNED)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What client secrets are made with: a P-256 key as PEM, its id, and whose it is."""

    team_id: str
    key_id: str
    pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One provider. `id` stands in addresses, `name` on buttons; the secret is given, or made with
    a key."""

    id: str
    name: str
    issuer: str
    client_id: str
    secret: str | SigningKey = field(repr=False)


def read_issuers(path: Path) -> tuple[tuple[Issuer, ...], list[str]]:
    """The providers in `path`, and one line for each mistake."""
    mistakes: list[str] = []
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o037:
            mistakes.append(f"{path} holds secrets and is open to others: set it to mode 0600")
        text = path.read_text(encoding="utf-8")
        entries: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        return (), [f"{path} cannot be read: {error.strerror}"]
    except ValueError as error:  # TOML's, JSON's and UTF-8's
        kind = "JSON" if path.suffix == ".json" else "TOML"
        return (), [f"{path} is not {kind}: {error}"]
    if not isinstance(entries, dict) or not entries:
        return (), [f"{path} must name at least one provider, like [google]"]
    found: list[Issuer] = []
    for id, entry in entries.items():
        wrong, issuer = _read(id, entry)
        mistakes += [f"{path}: [{id}] {line}" for line in wrong]
        if issuer is not None:
            found.append(issuer)
    issuers = [one.issuer for one in found]
    mistakes += [
        f"{path}: [{one.id}] has the issuer of another entry"
        for place, one in enumerate(found)
        if one.issuer in issuers[:place]
    ]
    return (() if mistakes else tuple(found)), mistakes


def _read(id: str, entry: object) -> tuple[list[str], Issuer | None]:
    if not _ID.fullmatch(id):
        return ["must be called by small letters, digits and -, like [google]"], None
    if not isinstance(entry, dict):
        return ["must be a table with name, issuer, client_id and client_secret"], None
    wrong = [f"has an unknown member {name}" for name in entry if name not in _MEMBERS]
    wrong += [
        f"{name} must be text that is not empty"
        for name in _MEMBERS
        if name in entry and not (isinstance(entry[name], str) and entry[name].strip())
    ]
    wrong += [f"lacks {name}" for name in _ALWAYS if name not in entry]
    has_secret, signed = "client_secret" in entry, [name for name in _SIGNED if name in entry]
    if has_secret and signed:
        wrong.append(f"has client_secret and {signed[0]}: give one or the other")
    elif not has_secret and len(signed) < len(_SIGNED):
        wrong.append(f"lacks client_secret (or {', '.join(_SIGNED)})")
    if wrong:
        return wrong, None
    if not is_secure(entry["issuer"]):
        wrong.append("issuer must begin with https:// (or be on this machine) and have no query")
    secret: str | SigningKey | None = entry.get("client_secret")
    if secret is None:
        secret = _signing_key(entry, wrong)
    if wrong or secret is None:
        return wrong, None
    return [], Issuer(id, entry["name"], entry["issuer"], entry["client_id"], secret)


def _signing_key(entry: Mapping[str, str], wrong: list[str]) -> SigningKey | None:
    path = Path(entry["key_file"])
    try:
        pem = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        pem = ""
    if "PRIVATE KEY" not in pem:
        wrong.append(f"key_file {path} holds no private key in PEM form")
        return None
    return SigningKey(entry["team_id"], entry["key_id"], pem)


def is_secure(url: str, *, query: bool = False) -> bool:
    """Whether `url` is https, or on this machine, and names no more than it should; `query`:
    whether it may have one."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises for a port out of range
    except ValueError:
        return False
    if not host or parts.fragment or parts.username or (parts.query and not query):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
