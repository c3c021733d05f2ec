"""Proofs for strangers: they verify, and nothing that was changed does."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.audit_books import ALICE, BANK, Books, filled, open_books
from tests.servers import DatabaseUrls

from tikiwallet.errors import NotFound
from tikiwallet.ledger import leaves
from tikiwallet.ledger.audit import (
    NotYetSealed,
    ProofError,
    check_consistency,
    check_proof,
    prove,
    prove_consistency,
)
from tikiwallet.ledger.heads import HeadFile

DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"


@pytest.fixture
async def books(database_urls: DatabaseUrls, data_dir: Path) -> AsyncIterator[Books]:
    async with open_books(database_urls, data_dir / "keys") as books:
        yield books


async def proofs_of(books: Books, numbers: list[int]) -> list[dict[str, Any]]:
    rows = await books.database.fetch(
        "SELECT transaction_id, leg FROM ledger.log WHERE n = ANY($1) ORDER BY n", numbers
    )
    return [await prove(books.database, books.keys, row[0].bytes, row[1]) for row in rows]


async def test_every_row_can_be_proved(books: Books) -> None:
    await filled(books)
    numbers = [1, 2, 255, 256, 257, 511, 512, 513, books.n - 1, books.n]
    for n, proof in zip(numbers, await proofs_of(books, numbers), strict=True):
        facts = check_proof(json.loads(json.dumps(proof)), books.public_key())
        assert facts.n == n
        assert proof["head"]["size"] == books.n


async def test_what_cannot_be_proved(books: Books) -> None:
    await filled(books, 300)
    id = books.log.post((BANK, ALICE, 1))
    await books.write()
    with pytest.raises(NotYetSealed):
        await prove(books.database, books.keys, id)
    with pytest.raises(NotFound):
        await prove(books.database, books.keys, b"\0" * 16)
    with pytest.raises(NotFound):
        await prove(books.database, books.keys, id, 1)
    await books.seal()
    proof = await prove(books.database, books.keys, id)
    with pytest.raises(ProofError, match="trusted"):
        check_proof(proof, sha256(b"another").digest())


def bent(value: Any) -> list[Any]:
    """The value with each of its bits or members changed, one at a time."""
    if isinstance(value, dict):
        changed: list[Any] = [value | {name: part} for name in value for part in bent(value[name])]
        return [*changed, *({k: v for k, v in value.items() if k != name} for name in value)]
    if isinstance(value, list):
        changed = [
            [*value[:i], part, *value[i + 1 :]]
            for i in range(len(value))
            for part in bent(value[i])
        ]
        return [*changed, value[:-1], [*value, value[-1]], value[::-1]]
    if isinstance(value, str) and re.fullmatch(r"([0-9a-f]{2}){16,}", value):
        data = bytes.fromhex(value)
        return [
            (int.from_bytes(data, "big") ^ (1 << bit)).to_bytes(len(data), "big").hex()
            for bit in range(8 * len(data))
        ]
    if isinstance(value, str):
        return [value + "0", value[:-1]]
    if isinstance(value, int):
        return [value ^ (1 << bit) for bit in range(64)] + [str(value)]
    return [0]


async def test_any_flipped_bit_fails(books: Books) -> None:
    await filled(books, 300)
    (proof,) = await proofs_of(books, [200])
    key = books.public_key()
    check_proof(proof, key)
    attempts = bent(proof)
    assert len(attempts) > 5_000
    for attempt in attempts:
        with pytest.raises(ProofError):
            check_proof(attempt, key)


async def test_heads_are_consistent(books: Books) -> None:
    await filled(books)
    sizes = [head.size for head in HeadFile(books.keys)]
    key = books.public_key()
    for old in sizes:
        for new in sizes:
            if old > new:
                with pytest.raises(NotFound):
                    await prove_consistency(books.database, books.keys, old, new)
                continue
            proof = await prove_consistency(books.database, books.keys, old, new)
            heads = check_consistency(json.loads(json.dumps(proof)), key)
            assert [head.size for head in heads] == [old, new]
            if proof["path"]:
                with pytest.raises(ProofError):
                    check_consistency(proof | {"path": proof["path"][:-1]}, key)
    with pytest.raises(NotFound):
        await prove_consistency(books.database, books.keys, sizes[0], sizes[-1] + 1)


async def test_the_document_s_script_checks_proofs(books: Books, data_dir: Path) -> None:
    await filled(books, 300)
    (proof,) = await proofs_of(books, [200])
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    script, file = data_dir / "check_proof.py", data_dir / "proof.json"
    script.write_text(found[1])

    def run(attempt: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        file.write_text(json.dumps(attempt))
        command = [sys.executable, str(script), str(file), books.public_key().hex()]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run(proof)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Row 200 is in the log")
    for name, value in (
        ("path", proof["path"][:-1]),
        ("index", 198),
        ("row", proof["row"] | {"amount": 1 + proof["row"]["amount"]}),
        ("head", proof["head"] | {"size": 299}),
        ("head", proof["head"] | {"signature": "00" * 64}),
    ):
        assert run(proof | {name: value}).returncode == 1


def test_the_document_gives_the_lengths() -> None:
    text = DOCUMENT.read_text()
    assert f"A leaf is {leaves.LEAF_LENGTH} bytes" in text
    assert f"({len(leaves.DOMAIN)} bytes together)" in text
