"""Keys of identity in the keys directory: made once, whole and private, shared by all processes.

`token.pem` signs access tokens. `token-old-*.pem` are public or private Ed25519 keys that still
verify tokens signed before a rotation. `identity.key` is the secret that keyed hashes of codes,
PINs, phones and rate-limit subjects come from. The keys that seal data are `sealing`'s.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from tikiwallet import base64url

SIGNING_FILE = "token.pem"
OLD_PATTERN = "token-old-*.pem"
SERVER_KEY_FILE = "identity.key"
_SECRET_BYTES = 32


class KeyFileError(Exception):
    """A key file that cannot be used; the message is one line for whoever starts the process."""


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The key that signs, its id, and every key that verifies, by id."""

    kid: str
    signing: Ed25519PrivateKey = field(repr=False)
    verifying: Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class ServerSecret:
    """The secret behind keyed hashes; each purpose gets a key of its own."""

    secret: bytes = field(repr=False)

    def subkey(self, purpose: str) -> bytes:
        """32 bytes that nobody can tell from the secret or from another purpose's."""
        return hmac.digest(self.secret, b"tikiwallet " + purpose.encode(), "sha256")


def load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of `path`, made with mode 0600 if it does not exist yet.

    Processes that start at once all return the same content: a whole file appears under its name
    in one step, and the first one stays. Raises `KeyFileError` for a file that others may read.
    """
    try:
        return read_private(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return read_private(path)


def load_token_keys(keys_dir: Path) -> TokenKeys:
    """The token keys in `keys_dir`; the signing key is made at the first start.

    Raises `KeyFileError` for a file that is damaged or open to others.
    """
    path = keys_dir / SIGNING_FILE
    signing = _parse_private(path, load_or_create(path, _new_signing_key))
    public = signing.public_key()
    kid = key_id(public)
    verifying = {kid: public}
    for old in sorted(keys_dir.glob(OLD_PATTERN)):
        key = _parse_public(old, old.read_bytes())
        verifying[key_id(key)] = key
    return TokenKeys(kid, signing, verifying)


def load_server_secret(keys_dir: Path) -> ServerSecret:
    """The server secret in `keys_dir`, made at the first start. Raises `KeyFileError`."""
    path = keys_dir / SERVER_KEY_FILE
    secret = load_or_create(path, lambda: secrets.token_bytes(_SECRET_BYTES))
    if len(secret) != _SECRET_BYTES:
        raise KeyFileError(f"{path} is damaged: it should hold {_SECRET_BYTES} bytes")
    return ServerSecret(secret)


def key_id(key: Ed25519PublicKey) -> str:
    """The RFC 7638 thumbprint of a public key: the same in every process, without a register."""
    x = base64url.write(key.public_bytes_raw())
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return base64url.write(hashlib.sha256(members.encode()).digest())


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _parse_private(path: Path, pem: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError:
        raise KeyFileError(f"{path} is damaged: no private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds another kind of key than Ed25519")
    return key


def _parse_public(path: Path, pem: bytes) -> Ed25519PublicKey:
    if b"PRIVATE KEY" in pem:
        return _parse_private(path, pem).public_key()
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        raise KeyFileError(f"{path} is damaged: no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} holds another kind of key than Ed25519")
    return key


def read_private(path: Path) -> bytes:
    """The content of a key file. Raises `KeyFileError` when others may read it, and OSError."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        # A group may read: that is how orchestrators hand secrets to a process that is not root.
        if mode & 0o037:
            raise KeyFileError(f"{path} is open to others (mode {mode:04o}); set it to 0600")
        return file.read()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
