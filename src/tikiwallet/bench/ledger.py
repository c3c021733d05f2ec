"""Batches through the ledger's Python API, without HTTP: a process that holds the writer itself.

`python -m tikiwallet.bench.ledger CASE SECONDS [POSTMASTER]` opens the ledger of the settings in
its environment, runs one case and prints one line of JSON. Commands are made while the clock runs,
as a caller would make them; four callers each wait for their batch and then send the next.
"""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from random import Random

import uvloop

from tikiwallet.bench.histogram import Histogram
from tikiwallet.bench.processes import Watch, say
from tikiwallet.config import Settings
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    AccountType,
    AnyCommand,
    Kind,
    OpenAccount,
    Posting,
    Result,
    Transaction,
)

CASES = ("one", "hot", "fee", "four", "memory")
CURRENCY = 702  # SGD's number
SMALL = 10_000  # accounts of the small set
HOT = 10
CALLERS = 4
BATCH = 1_000  # legs of one caller's batch
MEMORY_ACCOUNTS = 200_000
CHUNK = 1_000
BOTTOMLESS = 2**62
MONEY = 10**9  # minor units given to each account
_WARMUP_SECONDS = 1.0
_CHOICES = 200_000


class CaseFailed(Exception):
    """The ledger refused something that the case needs."""


@dataclass(frozen=True)
class Rate:
    """`count` things per second (`per_second`), and how long one caller's batch took."""

    per_second: float
    count: int
    p50_ms: float
    p99_ms: float


class Ids:
    """Transaction ids that never repeat and cost little: a random half and a rising half."""

    def __init__(self) -> None:
        self._run = secrets.token_bytes(8)
        self._next = 0

    def __call__(self) -> bytes:
        self._next += 1
        return self._run + self._next.to_bytes(8, "big")


async def post_all(ledger: Ledger, commands: Sequence[AnyCommand]) -> None:
    """Post in chunks. Raises CaseFailed unless every command is posted."""
    for start in range(0, len(commands), CHUNK):
        outcomes = await ledger.post_many(commands[start : start + CHUNK])
        refused = {Result(o.result).name for o in outcomes if o.result != Result.POSTED}
        if refused:
            raise CaseFailed(f"the ledger refused with {', '.join(sorted(refused))}")


def new_numbers() -> int:
    """The first of 2^22 account numbers that nobody has used, far above those of wallets, whose ids
    begin with a time. One number each by `new_id` would collide at this pace."""
    return 1 << 62 | secrets.randbits(40) << 22


async def open_accounts(ledger: Ledger, ids: Ids, count: int, floor: int = 0) -> list[int]:
    """Open `count` wallets of the bench's currency and answer their numbers."""
    first = new_numbers()
    accounts = list(range(first, first + count))
    await post_all(
        ledger,
        [
            OpenAccount(id=ids(), account=account, currency=CURRENCY, floor=floor)
            for account in accounts
        ],
    )
    return accounts


async def open_source(ledger: Ledger, ids: Ids) -> int:
    """Open a clearing account from which any amount can be drawn."""
    source = new_numbers()
    kind = AccountType.CLEARING
    await post_all(
        ledger,
        [OpenAccount(id=ids(), account=source, type=kind, currency=CURRENCY, floor=BOTTOMLESS)],
    )
    return source


async def fund(ledger: Ledger, ids: Ids, source: int, accounts: Sequence[int]) -> None:
    """Give each account enough for any run."""
    await post_all(
        ledger,
        [
            Transaction(id=ids(), kind=Kind.TOP_UP, postings=(_posting(source, account, MONEY),))
            for account in accounts
        ],
    )


def _posting(debit: int, credit: int, amount: int) -> Posting:
    return Posting(debit, credit, amount, CURRENCY)


async def drive_posts(
    ledger: Ledger, make: Callable[[], Transaction], legs: int, seconds: float
) -> Rate:
    """Postings per second of transactions with `legs` postings each, from four callers."""
    size = max(1, BATCH // legs)

    async def turn() -> int:
        outcomes = await ledger.post_many([make() for _ in range(size)])
        bad = next((o.result for o in outcomes if o.result != Result.POSTED), None)
        if bad is not None:
            raise CaseFailed(f"the ledger refused with {Result(bad).name}")
        return size * legs

    return await drive(turn, seconds)


async def drive(turn: Callable[[], Awaitable[int]], seconds: float) -> Rate:
    """Let four callers take turns for a warm-up and then `seconds`; what a turn answers counts."""
    histogram = Histogram()
    began = time.monotonic() + min(_WARMUP_SECONDS, seconds)
    ends = began + seconds
    counted = 0

    async def caller() -> None:
        nonlocal counted
        while (started := time.monotonic()) < ends:
            done = await turn()
            now = time.monotonic()
            if began <= now <= ends:
                counted += done
                histogram.record(round((now - started) * 1_000_000))

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return Rate(
        counted / seconds,
        counted,
        histogram.percentile(0.50) / 1000,
        histogram.percentile(0.99) / 1000,
    )


def transactions(
    case: str, ids: Ids, accounts: Sequence[int], house: int
) -> tuple[Callable[[], Transaction], int]:
    """A maker of the case's transactions, and the number of postings each has."""
    random = Random(20)  # noqa: S311 - a load, not a secret
    count = len(accounts)
    picked = [random.choice(accounts) for _ in range(_CHOICES)]
    # Payees lie a fixed way further on in the list, so that nobody pays themselves.
    place = {account: index for index, account in enumerate(accounts)}
    further = {a: accounts[(i + count // 2) % count] for a, i in place.items()}
    turn = 0

    def payer() -> int:
        nonlocal turn
        turn = turn + 1 if turn + 1 < _CHOICES else 0
        return picked[turn]

    def one() -> Transaction:
        debit = payer()
        return Transaction(id=ids(), postings=(_posting(debit, further[debit], 1),))

    def fee() -> Transaction:
        debit = payer()
        return Transaction(
            id=ids(), postings=(_posting(debit, further[debit], 2), _posting(debit, house, 1))
        )

    def four() -> Transaction:
        debit = payer()
        index = place[debit]
        return Transaction(
            id=ids(),
            postings=tuple(
                _posting(debit, accounts[(index + step) % count], 1) for step in range(1, 5)
            ),
        )

    return {"fee": (fee, 2), "four": (four, 4)}.get(case, (one, 1))


async def run_case(
    ledger: Ledger, case: str, seconds: float, postmaster: int | None
) -> dict[str, object]:
    """Prepare and run one of CASES; what the process prints, as a dictionary."""
    ids = Ids()
    watch = Watch({"writer and caller": os.getpid(), "postgres": postmaster})
    if case == "memory":
        accounts = await open_accounts(ledger, ids, MEMORY_ACCOUNTS)
        async with watch:
            for start in range(0, len(accounts), CHUNK):
                await ledger.states(accounts[start : start + CHUNK])
        return {"processes": [asdict(use) for use in watch.uses]}
    source = await open_source(ledger, ids)
    accounts = await open_accounts(ledger, ids, HOT if case == "hot" else SMALL)
    await fund(ledger, ids, source, accounts)
    async with watch:
        make, legs = transactions(case, ids, accounts, source)
        rate = await drive_posts(ledger, make, legs, seconds)
    return {"rate": asdict(rate), "processes": [asdict(use) for use in watch.uses]}


async def _main(case: str, seconds: float, postmaster: int | None) -> None:
    from tikiwallet.app import open_ledger

    settings = Settings.from_environment(os.environ)
    async with open_ledger(settings) as ledger:
        result = await run_case(ledger, case, seconds, postmaster)
    say(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(
        _main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    )
