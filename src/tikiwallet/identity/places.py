"""Roughly where an address is, from a file of the operator's in MaxMind's format; without such a
file nothing is claimed, and no address is ever told to anybody to find out."""

import ipaddress
from pathlib import Path
from typing import Any

import maxminddb


class PlacesFileError(Exception):
    """The file cannot be used; the text is one line for whoever starts the process."""


class Places:
    """Looks addresses up; knows of none without a file."""

    def __init__(self, reader: maxminddb.Reader | None = None) -> None:
        self._reader = reader

    @classmethod
    def open(cls, path: Path) -> "Places":
        """Over the file at `path` (a City or a Country database). Raises `PlacesFileError`."""
        try:
            return cls(maxminddb.open_database(path))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise PlacesFileError(f"{path} is no database of places: {error}") from None

    def of(self, address: str | None) -> str | None:
        """Town and country in English (`Queenstown, Singapore`), as far as the file knows."""
        if self._reader is None or address is None:
            return None
        try:
            found: Any = self._reader.get(ipaddress.ip_address(address))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None
        if not isinstance(found, dict):
            return None
        names = [_english(found.get(kind)) for kind in ("city", "country")]
        return ", ".join(dict.fromkeys(name for name in names if name)) or None


def _english(place: Any) -> str | None:
    names = place.get("names") if isinstance(place, dict) else None
    name = names.get("en") if isinstance(names, dict) else None
    return name if isinstance(name, str) else None
