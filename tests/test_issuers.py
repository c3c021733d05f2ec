"""The file with providers of identities: what is read, and one clear line per mistake."""

import json
from pathlib import Path

import pytest

from tikiwallet.issuers import Issuer, SigningKey, is_secure, read_issuers

GOOD = """
[google]
name = "Google"
issuer = "https://accounts.google.com"
client_id = "id-1"
client_secret = "secret-1"
"""


def write(folder: Path, text: str, name: str = "oidc.toml") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def mistakes(folder: Path, text: str, name: str = "oidc.toml") -> list[str]:
    path = write(folder, text, name)
    found, lines = read_issuers(path)
    assert found == ()
    assert all(line.startswith(str(path)) for line in lines)
    assert "secret-1" not in str(lines)
    return [line.removeprefix(f"{path}") for line in lines]


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    google = Issuer("google", "Google", "https://accounts.google.com", "id-1", "secret-1")
    assert read_issuers(write(tmp_path, GOOD)) == ((google,), [])
    entry = {
        "name": "Google",
        "issuer": "https://accounts.google.com",
        "client_id": "id-1",
        "client_secret": "secret-1",
    }
    written = write(tmp_path, json.dumps({"google": entry}), "oidc.json")
    assert read_issuers(written) == ((google,), [])
    assert "secret-1" not in repr(google)


def test_a_signed_secret(tmp_path: Path) -> None:
    key = write(tmp_path, "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "a.p8")
    text = f"""
[apple]
name = "Apple"
issuer = "https://appleid.apple.com"
client_id = "org.example.wallet"
team_id = "T1"
key_id = "K1"
key_file = "{key}"
"""
    [apple], lines = read_issuers(write(tmp_path, text))
    assert lines == []
    assert apple.secret == SigningKey("T1", "K1", key.read_text())
    assert "PRIVATE" not in repr(apple)
    assert mistakes(tmp_path, text.replace(str(key), "/nowhere")) == [
        ": [apple] key_file /nowhere holds no private key in PEM form"
    ]
    assert mistakes(tmp_path, text + 'client_secret = "secret-1"') == [
        ": [apple] has client_secret and team_id: give one or the other"
    ]
    assert mistakes(tmp_path, text.replace('key_id = "K1"', "")) == [
        ": [apple] lacks client_secret (or team_id, key_id, key_file)"
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("[google]", "[Google]", "[Google] must be called by small letters, digits and -"),
        ("client_id", "clientid", "[google] has an unknown member clientid"),
        ('"id-1"', '""', "[google] client_id must be text that is not empty"),
        ('"id-1"', "5", "[google] client_id must be text that is not empty"),
        ('client_secret = "secret-1"', "", "[google] lacks client_secret"),
        ("https://acc", "http://acc", "[google] issuer must begin with https://"),
        (".com", ".com?x=1", "[google] issuer must begin with https://"),
        (".com", ".com:99999", "[google] issuer must begin with https://"),
        (GOOD, "google = 5", "[google] must be a table"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert mistakes(tmp_path, GOOD.replace(old, new))[0].startswith(f": {line}")


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    lines = mistakes(tmp_path, "[a]\nname = 5\n[b]\nissuer = 'x'\n")
    assert len([line for line in lines if "[a]" in line]) == 4
    assert len([line for line in lines if "[b]" in line]) == 3


def test_one_issuer_is_one_provider(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD + GOOD.replace("[google]", "[again]")) == [
        ": [again] has the issuer of another entry"
    ]


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("", "oidc.toml", " must name at least one provider, like [google]"),
        ("[", "oidc.toml", " is not TOML: "),
        ("{", "oidc.json", " is not JSON: "),
        ("[]", "oidc.json", " must name at least one provider, like [google]"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, name: str, line: str) -> None:
    assert mistakes(tmp_path, text, name)[0].startswith(line)


def test_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.chmod(0o644)
    assert read_issuers(path) == (
        (),
        [f"{path} holds secrets and is open to others: set it to mode 0600"],
    )
    assert read_issuers(tmp_path / "nothing")[1][0].endswith(
        "cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://a.example", True),
        ("https://a.example/b", True),
        ("http://localhost:9400", True),
        ("http://127.0.0.1:9400", True),
        ("http://[::1]:9400", True),
        ("http://a.example", False),
        ("http://localhost.evil.example", False),
        ("https://user:pass@a.example", False),
        ("https://a.example#b", False),
        ("ftp://localhost", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_what_is_secure(url: str, secure: bool) -> None:
    assert is_secure(url) is secure


def test_queries_are_endpoints_own() -> None:
    assert is_secure("https://a.example/authorize?p=1", query=True)
    assert not is_secure("https://a.example/authorize?p=1")
