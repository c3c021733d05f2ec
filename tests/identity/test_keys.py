"""Key files: made once by whoever comes first, private, and several that verify."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.identity.conftest import ISSUER

from tikiwallet import clock, ids
from tikiwallet.identity.keys import (
    SERVER_KEY_FILE,
    SIGNING_FILE,
    KeyFileError,
    TokenKeys,
    key_id,
    load_or_create,
    load_server_secret,
    load_token_keys,
)
from tikiwallet.identity.tokens import TokenInvalid, TokenIssuer, TokenVerifier

_LOAD_AT = """
import hashlib, sys, time
from pathlib import Path
from tikiwallet.identity.keys import load_server_secret, load_token_keys
keys_dir, at = Path(sys.argv[1]), float(sys.argv[2])
while time.time() < at:
    pass
kid = load_token_keys(keys_dir).kid
print(kid, hashlib.sha256(load_server_secret(keys_dir).secret).hexdigest())
"""


class NothingRevoked:
    revoked: dict[bytes, int]
    fresh_until = float("inf")

    def __init__(self) -> None:
        self.revoked = {}


def verifier(keys: TokenKeys) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, NothingRevoked())


def test_processes_that_start_at_once_share_their_keys(tmp_path: Path) -> None:
    keys_dir = tmp_path / "deep" / "keys"
    at = str(time.time() + 2)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _LOAD_AT, str(keys_dir), at], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    seen = set()
    for child in children:
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        seen.add(out)
    assert len(seen) == 1
    assert sorted(path.name for path in keys_dir.iterdir()) == [SERVER_KEY_FILE, SIGNING_FILE]
    assert keys_dir.stat().st_mode & 0o777 == 0o700
    for path in keys_dir.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_keeps_the_keys(tmp_path: Path) -> None:
    assert load_token_keys(tmp_path).kid == load_token_keys(tmp_path).kid
    assert load_server_secret(tmp_path) == load_server_secret(tmp_path)


def test_keys_do_not_show_in_logs(tmp_path: Path) -> None:
    secret = load_server_secret(tmp_path)
    assert repr(secret.secret) not in repr(secret)
    assert secret.subkey("codes") != secret.subkey("pins")
    assert len(secret.subkey("codes")) == 32


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_token_keys(tmp_path)
    (tmp_path / SIGNING_FILE).chmod(mode)
    with pytest.raises(KeyFileError, match="open to others"):
        load_token_keys(tmp_path)


@pytest.mark.parametrize("name", [SIGNING_FILE, SERVER_KEY_FILE])
def test_a_damaged_key_is_refused(tmp_path: Path, name: str) -> None:
    load_or_create(tmp_path / name, lambda: b"rubbish")
    with pytest.raises(KeyFileError, match="damaged"):
        load_server_secret(tmp_path) if name == SERVER_KEY_FILE else load_token_keys(tmp_path)


def test_tokens_of_a_key_that_was_replaced_still_verify(tmp_path: Path) -> None:
    before = load_token_keys(tmp_path)
    person, session = ids.new_id(), ids.new_uuid7()
    header = "Bearer " + TokenIssuer(before, ISSUER).for_person(person, session)
    public = before.signing.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / SIGNING_FILE).unlink()
    with pytest.raises(TokenInvalid):
        verifier(load_token_keys(tmp_path)).verify(header)
    (tmp_path / "token-old-1.pem").write_bytes(public)
    after = load_token_keys(tmp_path)
    assert after.kid != before.kid
    assert set(after.verifying) == {after.kid, before.kid}
    assert verifier(after).verify(header).person == person
    assert verifier(after).verify(header).expires_at > clock.now_us()


def test_key_ids_follow_rfc_7638() -> None:
    # RFC 8037, appendix A: its example key and the thumbprint printed in A.3.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    assert key_id(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
