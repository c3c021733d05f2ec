"""The key that signs heads: made once, by who signs; others read its public half only."""

from pathlib import Path

import pytest
from tests.ledger.audit_books import open_books
from tests.servers import DatabaseUrls

from tikiwallet.errors import Unavailable
from tikiwallet.ledger.heads import KEY_NAME, PUBLIC_NAME, load_key, load_public_key
from tikiwallet.ledger.proofs import published_heads


def test_the_public_half_is_a_file_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_public_key(tmp_path)
    assert list(tmp_path.iterdir()) == []
    key = load_key(tmp_path)
    (tmp_path / KEY_NAME).unlink()
    public = load_public_key(tmp_path)
    assert public.public_bytes_raw() == key.public_key().public_bytes_raw()
    assert (tmp_path / PUBLIC_NAME).stat().st_mode & 0o777 == 0o600


def test_installations_of_before_get_one(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    (tmp_path / PUBLIC_NAME).unlink()
    load_public_key.cache_clear()
    assert load_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    assert (tmp_path / PUBLIC_NAME).exists()


def test_the_private_half_says_what_the_public_one_is(tmp_path: Path) -> None:
    load_key(tmp_path)
    (tmp_path / KEY_NAME).unlink()
    load_public_key(tmp_path)
    other = load_key(tmp_path).public_key().public_bytes_raw()
    assert load_public_key(tmp_path).public_bytes_raw() == other


async def test_who_publishes_heads_makes_no_key(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    async with open_books(database_urls, keys) as books:
        with pytest.raises(Unavailable):
            await published_heads(books.database, keys, limit=1)
        assert not keys.exists()
        key = books.public_key()
        told = await published_heads(books.database, keys, limit=1)
    assert told["public_key"] == key.hex()
