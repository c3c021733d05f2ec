"""Proofs that a stranger can check: a log row is in the tree that a signed head describes, and a
newer head's tree begins with an older one's. docs/audit.md holds a script that does the checking.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tikiwallet.clock import rfc3339
from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.errors import NotFound, Problem, Unavailable
from tikiwallet.ids import write_uuid
from tikiwallet.ledger import merkle
from tikiwallet.ledger.heads import Head, load_public_key, read_hex, signature_fits
from tikiwallet.ledger.leaves import (
    FACTS_BY_ID,
    OPTIONAL,
    Facts,
    facts_of_leaf,
    leaf_bytes,
    read_log,
    row_from,
)
from tikiwallet.ledger.tree import CHUNK, CHUNK_LEVEL, HEAD_COLUMNS, head_from, nodes_at

VERSION: Final = 1

_HEAD_COVERING = f"""
    SELECT {HEAD_COLUMNS} FROM audit.head
    WHERE shard = $1 AND size >= $2 AND NOT lost ORDER BY number DESC LIMIT 1
"""  # noqa: S608 - only constants
_HEADS = f"""
    SELECT {HEAD_COLUMNS} FROM audit.head WHERE shard = $1 AND number < $2
    ORDER BY number DESC LIMIT $3
"""  # noqa: S608 - only constants
_HEAD_OF_SIZE = f"SELECT {HEAD_COLUMNS} FROM audit.head WHERE shard = $1 AND size = $2"  # noqa: S608


class NotYetSealed(Problem):
    code = "not_yet_sealed"
    title = "No signed head covers this yet; try again in a moment"


class ProofError(ValueError):
    """A proof does not prove what it says; the text says where it fails."""


def _public_key(keys_dir: Path) -> Ed25519PublicKey:
    try:
        return load_public_key(keys_dir)
    except OSError:  # nothing was ever sealed, or this process looks in another folder
        raise Unavailable("The key that heads are signed with is not there") from None


async def prove(
    database: Database, keys_dir: Path, transaction_id: bytes, leg: int = 0
) -> dict[str, Any]:
    """A proof, ready for JSON, that this leg is in the log under the newest head that covers it.

    Raises NotFound without such a leg and NotYetSealed until a head covers it.
    """
    public = _public_key(keys_dir)
    async with database.transaction(readonly=True) as connection:
        record = await connection.fetchval(FACTS_BY_ID, transaction_id.hex(), leg)
        if record is None:
            raise NotFound("The log has no such transaction")
        row = row_from(record)
        facts = Facts(*row)
        found = await connection.fetchrow(_HEAD_COVERING, facts.shard, facts.n)
        if found is None:
            raise NotYetSealed
        head, _ = head_from(found)
        index = facts.n - 1
        ranges = merkle.inclusion_ranges(index, head.size)
        path = await _range_roots(connection, head, ranges, public)
    return {
        "version": VERSION,
        "row": _describe(facts),
        "leaf": leaf_bytes(row).hex(),
        "index": index,
        "path": [hash.hex() for hash in path],
        "head": head.as_json(),
        "public_key": public.public_bytes_raw().hex(),
    }


async def prove_consistency(
    database: Database, keys_dir: Path, old_size: int, new_size: int, shard: int = 0
) -> dict[str, Any]:
    """A proof, ready for JSON, that the head of `new_size` rows continues that of `old_size`.

    Raises NotFound unless heads of both sizes exist.
    """
    public = _public_key(keys_dir)
    async with database.transaction(readonly=True) as connection:
        heads = []
        for size in (old_size, new_size):
            found = await connection.fetchrow(_HEAD_OF_SIZE, shard, size)
            if found is None or found["lost"] or not 0 < old_size <= new_size:
                raise NotFound("There are no two such heads")
            heads.append(head_from(found)[0])
        ranges = merkle.consistency_ranges(old_size, new_size)
        path = await _range_roots(connection, heads[1], ranges, public)
    return {
        "version": VERSION,
        "old": heads[0].as_json(),
        "new": heads[1].as_json(),
        "path": [hash.hex() for hash in path],
        "public_key": public.public_bytes_raw().hex(),
    }


async def _range_roots(
    connection: AnyConnection,
    head: Head,
    ranges: list[tuple[int, int]],
    public: Ed25519PublicKey,
) -> list[bytes]:
    """The roots over ranges of leaves of the tree under `head`: from stored nodes, and below these
    from the log, of which at most a few hundred rows are read."""
    places = {place for start, end in ranges for place in merkle.subtrees(start, end)}
    high = [place for place in places if place[0] >= CHUNK_LEVEL]
    hashes = {
        place: node.hash for place, node in (await nodes_at(connection, head.shard, high)).items()
    }
    low = places.difference(high)
    for chunk in sorted({(index << level) // CHUNK for level, index in low}):
        first = chunk * CHUNK
        leaves: list[bytes] = []
        async for stretch in read_log(
            connection, head.shard, first + 1, min(first + CHUNK, head.size), public
        ):
            leaves += stretch.hashes
        hashes |= _below(low, first, leaves)
    return [
        merkle.range_root(start, end, lambda level, index: hashes[level, index])
        for start, end in ranges
    ]


def _below(
    places: Iterable[tuple[int, int]], first: int, leaves: list[bytes]
) -> dict[tuple[int, int], bytes]:
    found = {}
    for level, index in places:
        start = (index << level) - first
        if 0 <= start < CHUNK:
            found[level, index] = merkle.root(leaves[start : start + (1 << level)])
    return found


def _describe(facts: Facts) -> dict[str, Any]:
    """A leaf's facts for people and JSON; absent ones are null."""
    described: dict[str, Any] = dict(facts._asdict())
    present = described.pop("present")
    for bit, name in enumerate(OPTIONAL):
        if not present >> bit & 1:
            described[name] = None
    for name in ("at", "expires_at"):
        if described[name] is not None:
            described[name] = rfc3339(described[name])
    for name in ("transaction_id", "cause"):
        if described[name] is not None:
            described[name] = write_uuid(described[name])
    if described["digest"] is not None:
        described["digest"] = described["digest"].hex()
    return described


# -- checking


def check_proof(proof: Mapping[str, Any], trusted_key: bytes) -> Facts:
    """The facts that a proof of `prove` proves. `trusted_key`: the 32 bytes of the public key, from
    a source that is trusted. Raises ProofError when any part does not hold."""
    public = _trusted(proof, trusted_key, ("row", "leaf", "index", "path", "head"))
    head = _signed_head(proof["head"], public)
    try:
        data = read_hex(proof["leaf"])
        facts = facts_of_leaf(data)
        row = _describe(facts)
        path = [read_hex(hash) for hash in proof["path"]]
    except (TypeError, ValueError, OverflowError) as error:
        raise ProofError("the leaf or the path is not what it should be") from error
    if proof["row"] != row:
        raise ProofError("the row is not the one in the leaf")
    index = proof["index"]
    if type(index) is not int or index != facts.n - 1 or facts.shard != head.shard:
        raise ProofError("the leaf stands elsewhere")
    if not merkle.verify_inclusion(merkle.leaf_hash(data), index, head.size, path, head.root):
        raise ProofError("the path does not lead to the root of the head")
    return facts


def check_consistency(proof: Mapping[str, Any], trusted_key: bytes) -> tuple[Head, Head]:
    """The two heads of a proof of `prove_consistency`. Raises ProofError unless it holds."""
    public = _trusted(proof, trusted_key, ("old", "new", "path"))
    old, new = _signed_head(proof["old"], public), _signed_head(proof["new"], public)
    try:
        path = [read_hex(hash) for hash in proof["path"]]
    except (TypeError, ValueError) as error:
        raise ProofError("the path is not what it should be") from error
    if old.shard != new.shard or not merkle.verify_consistency(
        old.size, new.size, old.root, new.root, path
    ):
        raise ProofError("the newer head does not continue the older one")
    return old, new


def _trusted(
    proof: Mapping[str, Any], trusted_key: bytes, members: tuple[str, ...]
) -> Ed25519PublicKey:
    if set(proof) != {*members, "version", "public_key"}:
        raise ProofError("members are missing or unknown")
    if type(proof["version"]) is not int or proof["version"] != VERSION:
        raise ProofError("another version")
    if proof["public_key"] != trusted_key.hex():
        raise ProofError("signed with a key that is not the trusted one")
    return Ed25519PublicKey.from_public_bytes(trusted_key)


def _signed_head(members: dict[str, object], public: Ed25519PublicKey) -> Head:
    try:
        head = Head.from_json(members)
        fits = signature_fits(public, head)
    except (TypeError, ValueError, struct.error) as error:
        raise ProofError("not a head") from error
    if not fits:
        raise ProofError("the signature of the head does not fit")
    return head


async def published_heads(
    database: Database, keys_dir: Path, *, limit: int, below: int | None = None, shard: int = 0
) -> dict[str, Any]:
    """The newest signed heads (numbers under `below`, if given), ready for JSON, with the key that
    they are signed with."""
    rows = await database.fetch(_HEADS, shard, below or 2**62, limit)
    return {
        "public_key": _public_key(keys_dir).public_bytes_raw().hex(),
        "items": [{**head.as_json(), "lost": lost} for head, lost in map(head_from, rows)],
    }
