"""Signed heads of the audit log: the key, the bytes that are signed, the file outside the database.

docs/audit.md says the same for strangers. A changed layout needs a new domain string.
"""

import base64
import binascii
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from struct import Struct

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tikiwallet.ids import derived_id

KEY_NAME = "tree-head.key"
PUBLIC_NAME = "tree-head.pub"  # the public half, 32 bytes in hexadecimal
NO_HEAD = bytes(32)  # `previous` of the first head

_HEAD_DOMAIN = b"tikiwallet/tree-head/1\n"
_HEAD = Struct(">hqqqq32s32s32s")
_GAP_DOMAIN = b"tikiwallet/log-gap/1\n"
_GAP = Struct(">hqqqqq32s32s")
_SIGNATURE_LENGTH = 64
_LINE_MAX = 4_096


class AuditMismatch(Exception):
    """The log, the tree and the signed heads do not agree. `n` is the lowest log number at which
    that shows; `reason` is for people."""

    def __init__(self, n: int, reason: str) -> None:
        super().__init__(f"log row {n}: {reason}")
        self.n = n
        self.reason = reason


class Head(msgspec.Struct, frozen=True):
    """A signed statement: the first `size` rows of the log have the Merkle root `root`."""

    shard: int
    number: int
    size: int
    root: bytes
    at: int
    epoch: int
    previous: bytes
    key_id: bytes
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return _HEAD_DOMAIN + _HEAD.pack(
            self.shard, self.number, self.size, self.at, self.epoch,
            self.root, self.previous, self.key_id,
        )  # fmt: skip

    def hash(self) -> bytes:
        """What the next head calls `previous`."""
        return sha256(self.signed_bytes()).digest()

    def as_json(self) -> dict[str, int | str]:
        """Integers as they are, bytes in hexadecimal."""
        return {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in msgspec.structs.asdict(self).items()
        }

    @classmethod
    def from_json(cls, members: dict[str, object]) -> "Head":
        """The head that `as_json` gave. Raises ValueError for anything else."""
        if sorted(members) != sorted(cls.__struct_fields__):
            raise ValueError("not the members of a head")
        values: dict[str, int | bytes] = {}
        for name, value in members.items():
            whole = cls.__annotations__[name] is int
            if whole and type(value) is int:
                values[name] = value
            elif not whole and isinstance(value, str):
                values[name] = read_hex(value)
            else:
                raise ValueError(f"{name} is of another type")
        return msgspec.convert(values, cls, builtin_types=(bytes,))


def read_hex(text: str) -> bytes:
    """Bytes from lower-case hexadecimal, as written here; ValueError for any other spelling."""
    data = bytes.fromhex(text)
    if data.hex() != text:
        raise ValueError("not lower-case hexadecimal")
    return data


# -- the key


def load_key(keys_dir: Path) -> Ed25519PrivateKey:
    """The key that signs heads; made at first use, mode 0600, complete or not at all."""
    path = keys_dir / KEY_NAME
    if not path.exists():
        _make_key(path)
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{KEY_NAME} does not hold an Ed25519 key")
    public, raw = keys_dir / PUBLIC_NAME, key.public_key().public_bytes_raw()
    written = raw.hex().encode() + b"\n"
    if not public.exists() or public.read_bytes() != written:  # made before there was such a file
        public.unlink(missing_ok=True)
        load_public_key.cache_clear()
        _write_once(public, written)
    return key


@lru_cache(maxsize=64)
def load_public_key(keys_dir: Path) -> Ed25519PublicKey:
    """The public half, for those who sign nothing: read once, never made. Raises OSError until
    `load_key` has written it, ValueError for what is no key."""
    written = (keys_dir / PUBLIC_NAME).read_text().strip()
    return Ed25519PublicKey.from_public_bytes(read_hex(written))


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    _write_once(path, pem)


def _write_once(path: Path, content: bytes) -> None:
    """Make the file, mode 0600, complete or not at all; one that is there stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Of two processes that start together, the second finds the first one's key.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once what was made or renamed in `folder` is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def key_id(key: Ed25519PublicKey) -> bytes:
    """SHA-256 of the 32 bytes of a public key."""
    return sha256(key.public_bytes_raw()).digest()


def sign_head(key: Ed25519PrivateKey, head: Head) -> Head:
    """`head` with its signature; its `key_id` must be that of `key`."""
    return msgspec.structs.replace(head, signature=key.sign(head.signed_bytes()))


def signature_fits(key: Ed25519PublicKey, head: Head) -> bool:
    """Was `head` signed with the private half of `key`?"""
    if head.key_id != key_id(key):
        return False
    try:
        key.verify(head.signature, head.signed_bytes())
    except InvalidSignature:
        return False
    return True


# -- the file outside the database


class HeadFile:
    """keys_dir/heads/heads.jsonl: every head, one line of JSON each, only ever added to.

    A last line without its end is one whose writing was cut off; it counts as not written.
    """

    def __init__(self, keys_dir: Path, shard: int = 0) -> None:
        self._shard = shard
        name = "heads.jsonl" if shard == 0 else f"heads-{shard}.jsonl"
        self.path = keys_dir / "heads" / name

    def last(self) -> Head | None:
        """The newest head. Raises AuditMismatch when the file cannot be read as heads."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _LINE_MAX))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return None
        if len(lines) < 2:
            return None
        return self._parse(lines[-2])

    def __iter__(self) -> Iterator[Head]:
        """All heads, oldest first."""
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield self._parse(line)
        except FileNotFoundError:
            return

    def append(self, head: Head) -> None:
        """Add `head` and return once it is on the disk; nothing happens if it is there already.

        Raises AuditMismatch when the file ends with another head than the one before `head`.
        """
        fresh = not self.path.parent.exists()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = self.last()
            if last == head:
                return
            self._check_next(last, head)
            self._cut_torn_line(handle)
            file.seek(0, os.SEEK_END)
            file.write(json.dumps(head.as_json(), separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(handle)
        sync_folder(self.path.parent)
        if fresh:
            sync_folder(self.path.parent.parent)

    def _check_next(self, last: Head | None, head: Head) -> None:
        expected = (1, NO_HEAD) if last is None else (last.number + 1, last.hash())
        if (head.number, head.previous) != expected:
            raise AuditMismatch(
                head.size,
                f"head {head.number} does not follow the last head kept outside the database "
                f"({'none' if last is None else last.number})",
            )

    def _cut_torn_line(self, handle: int) -> None:
        end = os.lseek(handle, 0, os.SEEK_END)
        start = max(0, end - _LINE_MAX)
        tail = os.pread(handle, end - start, start)
        if tail and not tail.endswith(b"\n"):
            os.ftruncate(handle, start + tail.rfind(b"\n") + 1)

    def _parse(self, line: bytes) -> Head:
        try:
            head = Head.from_json(json.loads(line))
        except (ValueError, TypeError, AttributeError) as error:
            raise AuditMismatch(0, f"{self.path.name} holds a line that is no head") from error
        if head.shard != self._shard:
            raise AuditMismatch(0, f"{self.path.name} holds a head of another log")
        return head


# -- numbers lost in a restore


class Discontinuity(msgspec.Struct, frozen=True):
    """A signed statement: after row `kept` the log goes on with row `n`; what stood between, and
    the heads up to `head_number`, were lost in a restore. Its fields fill the log row `n`."""

    shard: int
    kept: int
    n: int
    at: int
    head_number: int
    head_size: int
    head_hash: bytes
    key_id: bytes
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return _GAP_DOMAIN + _GAP.pack(
            self.shard, self.kept, self.n, self.at, self.head_number, self.head_size,
            self.head_hash, self.key_id,
        )  # fmt: skip

    @property
    def reference(self) -> str:
        """`reference` of the log row: base 64 of the signed bytes and the signature."""
        return base64.b64encode(self.signed_bytes() + self.signature).decode()

    @property
    def digest(self) -> bytes:
        """`digest` of the log row; so the leaf covers the statement."""
        return sha256(self.signed_bytes()).digest()

    @property
    def transaction_id(self) -> bytes:
        """`transaction_id` of the log row."""
        return derived_id("discontinuity", self.signed_bytes())


def sign_discontinuity(
    keys_dir: Path, kept: int, at: int, *, above: int, shard: int = 0
) -> Discontinuity:
    """The statement that lets the log go on after a restore that ends at row `kept`.

    Its number is one more than `above`, the highest number that anyone can have been told of, and
    above the last head kept outside. `at`: microseconds since 1970. Raises AuditMismatch when that
    head is not signed.
    """
    key = load_key(keys_dir)
    head = HeadFile(keys_dir, shard).last()
    if head is not None and not signature_fits(key.public_key(), head):
        raise AuditMismatch(head.size, "the last head kept outside has no valid signature")
    size = 0 if head is None else head.size
    gap = Discontinuity(
        shard=shard,
        kept=kept,
        n=max(above, size, kept) + 1,
        at=at,
        head_number=0 if head is None else head.number,
        head_size=size,
        head_hash=NO_HEAD if head is None else head.hash(),
        key_id=key_id(key.public_key()),
    )
    return msgspec.structs.replace(gap, signature=key.sign(gap.signed_bytes()))


def read_discontinuity(reference: str | None, key: Ed25519PublicKey) -> Discontinuity | None:
    """The statement in a log row's `reference`; None unless `key` signed it."""
    try:
        data = base64.b64decode(reference or "", validate=True)
    except binascii.Error:
        return None
    body, signature = data[:-_SIGNATURE_LENGTH], data[-_SIGNATURE_LENGTH:]
    fields = body.removeprefix(_GAP_DOMAIN)
    if len(fields) != _GAP.size or len(body) != _GAP.size + len(_GAP_DOMAIN):
        return None
    gap = msgspec.structs.replace(Discontinuity(*_GAP.unpack(fields)), signature=signature)
    try:
        key.verify(signature, body)
    except InvalidSignature:
        return None
    return gap if gap.key_id == key_id(key) else None
