"""Lanes: the requests of one signed-in person, built before the clock starts.

A lane is the bytes of one HTTP request. Where every request must differ, the load generator puts a
rising number between `before` and `after`, or the next of a list of words: that is how each payment
gets a fresh idempotency key, and each read one of a million wallets, for the price of joining three
strings. Both load generators read the same files.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Fill(IntEnum):
    """What goes between the two parts of a lane; written into the file."""

    NOTHING = 0
    NUMBER = 1
    WORD = 2


@dataclass(frozen=True)
class Lane:
    """One person's request."""

    before: bytes
    after: bytes = b""
    fill: Fill = Fill.NOTHING


@dataclass(frozen=True)
class Words:
    """Words of one width, written together; lanes that ask for words are given them in turn."""

    text: str = ""
    width: int = 1


NO_WORDS = Words()


@dataclass(frozen=True)
class Person:
    """Somebody signed in: the access token, and wallets as the API writes their ids.

    `wallets[0]` is the one that holds money.
    """

    token: str
    wallets: tuple[str, ...]


def _head(method: str, path: str, port: int, token: str) -> str:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
        f"Authorization: Bearer {token}\r\nAccept: application/json\r\n"
    )


def payment_lanes(people: Sequence[Person], port: int, currency: str) -> list[Lane]:
    """Each person pays the next one minor unit, round in a ring, so that nobody runs dry.

    Keys never repeat, also between two loads: each call takes a new random part.
    """
    run = secrets.token_hex(8)
    lanes = []
    for index, person in enumerate(people):
        payee = people[(index + 1) % len(people)].wallets[0]
        money = {"amount": 1, "currency": currency}
        body = json.dumps(
            {"from_wallet": person.wallets[0], "payees": [{"to": payee, "amount": money}]},
            separators=(",", ":"),
        )
        before = (
            _head("POST", "/v1/payments", port, person.token)
            + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            + f"Idempotency-Key: {run}-{index}-"
        )
        lanes.append(Lane(before.encode(), f"\r\n\r\n{body}".encode(), Fill.NUMBER))
    return lanes


def balance_lanes(people: Sequence[Person], port: int) -> list[Lane]:
    """Each person reads the balance of the wallet that holds money."""
    return [
        Lane((_head("GET", f"/v1/wallets/{p.wallets[0]}/balance", port, p.token) + "\r\n").encode())
        for p in people
    ]


def query_lanes(token: str, wallets: Sequence[str], port: int, connections: int) -> list[Lane]:
    """`connections` lanes that each ask for all of `wallets` (at most 1,000) at once."""
    body = json.dumps({"wallet_ids": list(wallets)}, separators=(",", ":"))
    request = (
        _head("POST", "/v1/balances/query", port, token)
        + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    return [Lane(request.encode())] * connections


def word_lanes(token: str, start: str, width: int, port: int, connections: int) -> list[Lane]:
    """`connections` lanes that each ask /v1/balances/query for one wallet: `start` and a word."""
    before, after = f'{{"wallet_ids":["{start}', '"]}'
    length = len(before) + width + len(after)
    head = (
        _head("POST", "/v1/balances/query", port, token)
        + f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return [Lane((head + before).encode(), after.encode(), Fill.WORD)] * connections


def write_lanes(path: Path, lanes: Iterable[Lane]) -> None:
    """Write lanes so that Lua reads them with two calls each: three numbers, then the bytes."""
    with path.open("wb") as file:
        for lane in lanes:
            file.write(b"%d %d %d\n" % (len(lane.before), len(lane.after), lane.fill))
            file.write(lane.before + lane.after)


def read_lanes(path: Path) -> list[Lane]:
    """What `write_lanes` wrote."""
    lanes = []
    with path.open("rb") as file:
        while line := file.readline():
            before, after, fill = (int(part) for part in line.split())
            lanes.append(Lane(file.read(before), file.read(after), Fill(fill)))
    return lanes
