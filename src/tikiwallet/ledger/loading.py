"""Reads of the log that the writer decides by, on connections of their own.

One load per account at a time, which all callers join. What is loaded goes into the memory of the
term that asked, so a load from an earlier epoch is thrown away with its term.
"""

import asyncio
from collections.abc import Iterable

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from tikiwallet.ledger import journal, metering
from tikiwallet.ledger.memory import Memory
from tikiwallet.ledger.rules import Original, OriginalLeg
from tikiwallet.ledger.term import Term
from tikiwallet.ledger.transactions import Kind, LegType, Outcome, State

_LOAD_AT_ONCE = 4_000
_ACCOUNT_END = 2**63
_NUMBERINGS = ("log_pkey", "entry_pkey", "remainder_pkey")


class Loader:
    """Look-ups and loads for one term."""

    def __init__(self, term: Term) -> None:
        self.term = term
        self.memory: Memory = term.memory
        self._look = term.look
        self._load = term.load
        self._look_turn = asyncio.Lock()
        self._outcomes: PreparedStatement | None = None
        self._wanted: set[int] = set()
        self._rounds: dict[int, asyncio.Future[None]] = {}
        self._next_round: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def outcomes(self, ids: list[bytes]) -> dict[bytes, tuple[bytes, Outcome]]:
        """The digests and outcomes, marked replayed, of those ids that the log knows."""
        if not ids:
            return {}
        async with self._look_turn:
            if self._outcomes is None:
                self._outcomes = await self._look.prepare(journal.OUTCOME_SQL)
            rows = await self._outcomes.fetch(ids)
        if not rows:
            return {}
        return {row[0]: (row[1], journal.outcome_from(row)) for row in rows}

    async def load_accounts(self, accounts: Iterable[int]) -> None:
        """Bring these accounts into memory, or the knowledge that they do not exist."""
        waits = set()
        for account in accounts:
            if account in self.memory.accounts:
                continue
            if not 0 < account < _ACCOUNT_END:
                self.memory.accounts[account] = None  # the server would refuse to look for it
                continue
            round_ = self._rounds.get(account)
            if round_ is None:
                if self._next_round is None:
                    self._next_round = asyncio.get_running_loop().create_future()
                round_ = self._rounds[account] = self._next_round
                self._wanted.add(account)
            waits.add(round_)
        if not waits:
            return
        if self._task is None or self._task.done():
            # A task of its own: a caller that goes away must not take the load with it.
            self._task = asyncio.create_task(self._run_rounds())
        for round_ in waits:
            await asyncio.shield(round_)

    async def _run_rounds(self) -> None:
        while self._wanted:
            accounts, round_ = list(self._wanted), self._next_round
            assert round_ is not None
            self._wanted, self._next_round = set(), None
            try:
                for start in range(0, len(accounts), _LOAD_AT_ONCE):
                    await self._load_now(accounts[start : start + _LOAD_AT_ONCE])
            except Exception as error:  # whatever it was, nobody may wait for ever
                self.term.broken.set()
                round_.set_exception(error)
                round_.exception()  # seen: nobody may be waiting any more
            else:
                round_.set_result(None)
            finally:
                for account in accounts:
                    del self._rounds[account]

    async def _load_now(self, accounts: list[int]) -> None:
        rows = await self._load.fetch(journal.STATE_SQL, accounts)
        found: dict[int, State] = {row[0]: journal.state_from(row, 1) for row in rows}
        self.memory.add_loaded(accounts, found)
        metering.LOADS.inc(len(accounts))

    async def load_originals(self, ids: Iterable[bytes]) -> set[bytes]:
        """Bring these transactions into memory, and the accounts of their legs; those that do not
        exist, or moved nothing, are returned."""
        memory = self.memory
        asked = [id_ for id_ in ids if id_ not in memory.originals]
        absent = set(asked)
        if asked:
            async with self._look_turn:
                rows = await self._look.fetch(journal.ORIGINAL_SQL, asked)
            for original in _originals(rows):
                absent.discard(original.id)
                memory.originals.setdefault(original.id, original)
        accounts = {
            side
            for id_ in ids
            if (known := memory.originals.get(id_)) is not None
            for leg in known.legs
            for side in (leg.debit, leg.credit)
        }
        await self.load_accounts(accounts)
        return absent


def _originals(rows: list[asyncpg.Record]) -> Iterable[Original]:
    by_id: dict[bytes, list[asyncpg.Record]] = {}
    for row in rows:
        by_id.setdefault(row["transaction_id"], []).append(row)
    for id_, legs in by_id.items():
        first = legs[0]
        if first["type"] >= LegType.REFUSAL:
            continue
        moves = first["type"] <= LegType.VOID
        yield Original(
            id_,
            first["kind"],
            held=first["type"] == LegType.HOLD,
            reversible=moves
            and first["kind"] != Kind.REVERSAL
            and any(leg["type"] in (LegType.POST, LegType.CAPTURE) for leg in legs),
            expires_at=first["expires_at"] or 0,
            legs=tuple(_original_leg(leg) for leg in legs) if moves else (),
        )


def _original_leg(row: asyncpg.Record) -> OriginalLeg:
    left = row["remaining"]
    if left is None:
        left = 0 if row["type"] == LegType.VOID else row["amount"]
    return OriginalLeg(
        row["debit"], row["credit"], row["amount"], row["currency"], left,
        row["remainder_seq"] or 0,
    )  # fmt: skip


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """True when the server rolled the statement back on a living connection, and not because
    another writer's rows stand where these should: then what this one remembers is not so."""
    if isinstance(error, asyncpg.UniqueViolationError) and error.constraint_name in _NUMBERINGS:
        return False
    state = error.sqlstate or ""
    # 08 connection, 57P operator intervention, 25006 read-only, XX internal, 40 rolled back by
    # the server for reasons of its own (40003: outcome unknown)
    return bool(state) and not state.startswith(("08", "57P", "25006", "XX", "40"))
