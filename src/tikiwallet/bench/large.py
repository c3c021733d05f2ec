"""A million accounts and twenty million postings: what is left of the speed when memory misses.

`python -m tikiwallet.bench.large build ACCOUNTS POSTINGS` fills the ledger of the settings in its
environment and can be stopped and started again at any point: ids follow from their place, so that
what was posted twice counts once. `... measure ACCOUNTS SECONDS [POSTMASTER]` prints one line of
JSON. Built through the ledger's own batch API, one posting per transaction.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from math import gcd
from pathlib import Path
from random import Random

import uvloop

from tikiwallet.bench.histogram import Histogram
from tikiwallet.bench.lanes import Words
from tikiwallet.bench.ledger import (
    BOTTOMLESS,
    CALLERS,
    CURRENCY,
    Ids,
    Rate,
    drive_posts,
    post_all,
)
from tikiwallet.bench.processes import Watch, say
from tikiwallet.config import Settings
from tikiwallet.database.cluster import APP
from tikiwallet.database.embedded import EmbeddedServer
from tikiwallet.database.pool import Database
from tikiwallet.ids import write_id
from tikiwallet.ledger.audit import SLICE, Sealer
from tikiwallet.ledger.port import Ledger
from tikiwallet.ledger.transactions import (
    AccountType,
    AnyCommand,
    Kind,
    OpenAccount,
    Posting,
    Transaction,
)

ACCOUNTS = 1_000_000
POSTINGS = 20_000_000
SMALL_ACCOUNTS = 10_000  # what the large data set is held against
SMALL_POSTINGS = 20_000
_FIRST = 1 << 50  # accounts are numbered from here; the clearing account lies right below
_SOURCE = _FIRST - 1
_MONEY = 1_000_000
_CHUNK = 2_000
_SAVE_EVERY = 20  # groups of chunks
_CHOICES = 1_000_000
_WIDTH = 5  # letters in which the ids of the data set's wallets differ
_PAGES = 500
_PAGE = 50
# Right after a start, and the checkpoint before it, PostgreSQL logs each page whole that is touched
# for the first time; after as long as this, most that are popular have been.
_SETTLE_SECONDS = 20.0


def command_at(place: int, accounts: int) -> AnyCommand:
    """The command at `place` of the data set: the clearing account, each account, money for each,
    then payments between accounts chosen evenly. The same place always gives the same command."""
    id = b"tikilarg" + place.to_bytes(8, "big")
    if place == 0:
        return OpenAccount(
            id=id,
            account=_SOURCE,
            type=AccountType.CLEARING,
            currency=CURRENCY,
            floor=BOTTOMLESS,
        )
    if place <= accounts:
        return OpenAccount(id=id, account=_FIRST + place - 1, currency=CURRENCY)
    if place <= 2 * accounts:
        posting = Posting(_SOURCE, _FIRST + place - accounts - 1, _MONEY, CURRENCY)
        return Transaction(id=id, kind=Kind.TOP_UP, postings=(posting,))
    debit = _mixed(place) % accounts
    step = 1 + _mixed(place + 1) % (accounts - 1)
    posting = Posting(_FIRST + debit, _FIRST + (debit + step) % accounts, 1, CURRENCY)
    return Transaction(id=id, postings=(posting,))


def _mixed(place: int) -> int:
    """A number that follows from `place` and looks drawn at random (a multiply-and-fold hash)."""
    mixed = place * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF
    mixed = (mixed ^ mixed >> 29) * 0xBF58_476D_1CE4_E5B9 & 0xFFFF_FFFF_FFFF_FFFF
    return mixed ^ mixed >> 32


def total_commands(accounts: int, postings: int) -> int:
    """How many commands make a data set in which `postings` postings are posted."""
    if postings < accounts:
        raise ValueError("each account takes at least the posting that brings its money")
    return 1 + accounts + postings


async def build(ledger: Ledger, accounts: int, postings: int, state: Path) -> None:
    """Post what is missing of the data set; lines `progress DONE TOTAL` go to standard output."""
    total = total_commands(accounts, postings)
    done = _read_state(state, accounts)
    groups = 0
    while done < total:
        say(f"progress {done} {total}")
        # Accounts first, then their money, then payments: no group reaches across a border.
        border = next(b for b in (1, 1 + accounts, 1 + 2 * accounts, total) if b > done)
        until = min(border, done + CALLERS * _CHUNK)
        chunks = [
            [command_at(p, accounts) for p in range(start, min(start + _CHUNK, until))]
            for start in range(done, until, _CHUNK)
        ]
        await asyncio.gather(*(post_all(ledger, chunk) for chunk in chunks))
        done = until
        groups += 1
        if groups % _SAVE_EVERY == 0 or done == total:
            _write_state(state, accounts, done)
    say(f"progress {total} {total}")


async def seal(ledger: Ledger, database: Database, keys_dir: Path) -> None:
    """Seal all of it: a server that is measured is not to work through millions of old rows."""
    sealer = Sealer(database, keys_dir)
    stable_n = await ledger.stable_n()
    for end in range(SLICE, stable_n + SLICE, SLICE):
        if head := await sealer.seal(min(end, stable_n)):
            say(f"progress {head.size} {stable_n}")


def _write_state(state: Path, accounts: int, done: int) -> None:
    """Remember how far the data set is; replaced in one step, so that it is never half written."""
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps({"accounts": accounts, "done": done}))
    fresh.replace(state)


def _read_state(state: Path, accounts: int) -> int:
    """How many commands were posted before; raises ValueError for a data set of another size."""
    if not state.exists():
        return 0
    known = json.loads(state.read_text())
    if known["accounts"] != accounts:
        raise ValueError(f"{state.parent} holds a data set with {known['accounts']} accounts")
    return int(known["done"])


def evenly(accounts: int, count: int, random: Random) -> list[int]:
    """`count` account numbers, each as likely as any other."""
    return [_FIRST + random.randrange(accounts) for _ in range(count)]


def by_zipf(accounts: int, count: int, random: Random) -> list[int]:
    """`count` account numbers, the k-th most popular drawn in proportion to 1/k.

    Popular accounts lie scattered over the whole range, as they do in life.
    """
    weights = list(itertools.accumulate(1 / rank for rank in range(1, accounts + 1)))
    ranks = random.choices(range(accounts), cum_weights=weights, k=count)
    stride = _coprime(accounts)
    return [_FIRST + rank * stride % accounts for rank in ranks]


def _coprime(count: int) -> int:
    """A step that visits each of `count` places once before it comes round."""
    step = int(count * 0.618) | 1
    while gcd(step, count) != 1:
        step += 1
    return step


async def post_between(ledger: Ledger, choices: Sequence[int], seconds: float) -> Rate:
    """Transactions per second with one posting each, payers and payees taken from `choices`."""
    ids = Ids()
    turn = 0

    def make() -> Transaction:
        nonlocal turn
        turn = turn + 2 if turn + 3 < len(choices) else 0
        debit, credit = choices[turn], choices[turn + 1]
        if debit == credit:
            credit = _FIRST if debit != _FIRST else _FIRST + 1
        return Transaction(id=ids(), postings=(Posting(debit, credit, 1, CURRENCY),))

    return await drive_posts(ledger, make, 1, seconds)


async def page_times(database: Database, ledger: Ledger, accounts: int) -> Rate:
    """Pages of 50 entries of accounts chosen evenly, one after another."""
    from tikiwallet.ledger import history

    histogram = Histogram()
    stable_n = await ledger.stable_n()
    began = time.monotonic()
    random = Random(22)  # noqa: S311 - a load, not a secret
    for account in evenly(accounts, _PAGES, random):
        started = time.monotonic()
        await history.entries(database, account, stable_n, _PAGE)
        histogram.record(round((time.monotonic() - started) * 1_000_000))
    seconds = time.monotonic() - began
    return Rate(
        _PAGES / seconds,
        _PAGES,
        histogram.percentile(0.50) / 1000,
        histogram.percentile(0.99) / 1000,
    )


def settle_seconds(seconds: float) -> float:
    """How long writes go on before those of a run of so many seconds count."""
    return min(_SETTLE_SECONDS, 4 * seconds)


async def measure(
    ledger: Ledger, database: Database, accounts: int, seconds: float, postmaster: int | None
) -> dict[str, object]:
    """Writes and history; Zipf first, so that memory holds what is popular."""
    random = Random(23)  # noqa: S311 - a load, not a secret
    results: dict[str, object] = {}
    for name, choose in CHOICES.items():
        choices = choose(accounts, _CHOICES, random)
        await post_between(ledger, choices, settle_seconds(seconds))
        async with Watch({"writer and caller": os.getpid(), "postgres": postmaster}) as watch:
            rate = await post_between(ledger, choices, seconds)
        results[f"writes-{name}"] = {
            "rate": asdict(rate),
            "processes": [asdict(use) for use in watch.uses],
        }
    pages = await page_times(database, ledger, accounts)
    results["history"] = {"rate": asdict(pages), "processes": []}
    return results


CHOICES = {"zipf": by_zipf, "evenly": evenly}


def words_of(name: str, accounts: int, count: int = _CHOICES) -> tuple[str, Words]:
    """`count` wallets chosen as `name` says (one of CHOICES): the start that the ids of all have in
    common, and the rest of each as a word."""
    if accounts > 32**_WIDTH:
        raise ValueError("the wallets of a data set differ in their last five letters only")
    random = Random(24)  # noqa: S311 - a load, not a secret
    chosen = CHOICES[name](accounts, count, random)
    tails = {account: write_id("w", account)[-_WIDTH:] for account in set(chosen)}
    start = write_id("w", _FIRST)[:-_WIDTH]
    return start, Words("".join(tails[account] for account in chosen), _WIDTH)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The application's own view of the database that the settings name."""
    server = None
    dsn = settings.database_url
    if dsn is None:
        server = await EmbeddedServer.start(settings.data_dir, settings.keys_dir)
        dsn = server.dsn(APP)
    try:
        database = await Database.connect(dsn, APP)
        try:
            yield database
        finally:
            await database.close()
    finally:
        if server is not None:
            await server.stop()


async def _main(arguments: list[str]) -> None:
    from tikiwallet.app import open_ledger

    settings = Settings.from_environment(os.environ)
    accounts, number = int(arguments[1]), int(arguments[2])
    async with open_ledger(settings) as ledger:
        if arguments[0] == "build":
            await build(ledger, accounts, number, settings.data_dir / "large.json")
            async with open_database(settings) as database:
                await seal(ledger, database, settings.keys_dir)
            return
        postmaster = int(arguments[3]) if arguments[3:] and arguments[3] else None
        async with open_database(settings) as database:
            results = await measure(ledger, database, accounts, number, postmaster)
        say(json.dumps(results))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1:]))
