"""Lanes: the requests of one signed-in person, built before the clock starts.

A lane is the bytes of one HTTP request. Where every request must differ, the load generator puts a
rising number between `before` and `after`: that is how each payment gets a fresh idempotency key
for the price of joining three strings. Both load generators read the same file.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lane:
    """One person's request; `counted` puts a number between the two parts."""

    before: bytes
    after: bytes = b""
    counted: bool = False


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
        lanes.append(Lane(before.encode(), f"\r\n\r\n{body}".encode(), counted=True))
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


def write_lanes(path: Path, lanes: Iterable[Lane]) -> None:
    """Write lanes so that Lua reads them with two calls each: three numbers, then the bytes."""
    with path.open("wb") as file:
        for lane in lanes:
            file.write(b"%d %d %d\n" % (len(lane.before), len(lane.after), lane.counted))
            file.write(lane.before + lane.after)


def read_lanes(path: Path) -> list[Lane]:
    """What `write_lanes` wrote."""
    lanes = []
    with path.open("rb") as file:
        while line := file.readline():
            before, after, counted = (int(part) for part in line.split())
            lanes.append(Lane(file.read(before), file.read(after), bool(counted)))
    return lanes
