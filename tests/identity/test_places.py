"""Places of addresses, from a real database in MaxMind's format."""

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from tikiwallet.identity.places import Places, PlacesFileError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City")
    country = {"names": {"en": "Singapore", "zh-CN": "新加坡"}, "iso_code": "SG"}
    networks: dict[str, dict[str, Any]] = {
        "192.0.2.0/25": {"city": {"names": {"en": "Queenstown"}}, "country": country},
        "192.0.2.128/26": {"country": country},
        "198.51.100.0/24": {"city": {"names": {"en": "Singapore"}}, "country": country},
        "203.0.113.0/24": {"traits": {"is_anonymous_proxy": True}},
        "2001:db8::/32": {"city": {"names": {"de": "Nirgends"}}, "country": country},
    }
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    made = tmp_path_factory.mktemp("places") / "city.mmdb"
    writer.to_db_file(str(made))
    return made


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "Queenstown, Singapore"),
        ("192.0.2.130", "Singapore"),
        ("198.51.100.1", "Singapore"),
        ("203.0.113.1", None),
        ("10.0.0.1", None),
        ("2001:db8::5", "Singapore"),
        ("not an address", None),
        ("", None),
        (None, None),
    ],
)
def test_places(path: Path, address: str | None, place: str | None) -> None:
    assert Places.open(path).of(address) == place


def test_nothing_is_claimed_without_a_file() -> None:
    assert Places().of("192.0.2.7") is None


def test_another_file_is_refused_in_words(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.mmdb"
    wrong.write_bytes(b"x" * 1000)
    with pytest.raises(PlacesFileError, match="is no database of places"):
        Places.open(wrong)
    with pytest.raises(PlacesFileError):
        Places.open(tmp_path / "nothing.mmdb")
