"""Whatever the rules accept, SQL accepts; and each invariant that SQL holds, it holds alone.

The first half lets Hypothesis make decisions at the very edge of what is allowed and sends their
rows through the real COPY. The second half breaks one constraint, index or trigger at a time.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.ledger.writers import PATIENCE, SGD, new_id
from tests.servers import Databases, DatabaseUrls, run_apart

from tikiwallet.database.pool import connect, transaction
from tikiwallet.ledger import journal
from tikiwallet.ledger.rules import Original, OriginalLeg, accounts_of, decide, original_of
from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    LEGS_MAX,
    REFERENCE_MAX,
    TOTAL_MAX,
    AnyCommand,
    Capture,
    CloseAccount,
    Command,
    Freeze,
    Hold,
    LegType,
    OpenAccount,
    Posting,
    Result,
    Reverse,
    SetLimits,
    State,
    Transaction,
    Void,
    digest_of,
)
from tikiwallet.ledger.validation import validate

NOW = 1_800_000_000_000_000
THOROUGH = os.environ.get("THOROUGH") == "1"
KINDS = [
    Transaction, Hold, Capture, Void, Reverse, OpenAccount, SetLimits, Freeze, CloseAccount
]  # fmt: skip
T = TypeVar("T")


class Server:
    """A connection of the ledger's role, for tests that are not asynchronous themselves."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self._runner = asyncio.Runner()
        self.connection = self.run(self._connect(urls.ledger))

    async def _connect(self, dsn: str) -> asyncpg.Connection:
        connection = await connect(dsn, "tikiwallet_ledger")
        await journal.teach(connection)
        return connection

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self._runner.run(wait())

    def close(self) -> None:
        self.run(self.connection.close())
        self._runner.close()

    def accepts(self, rows: list[bytes]) -> None:
        """Send rows as the writer does, and take them back; raises what the server says."""
        self.run(self._send(rows))

    async def _send(self, rows: list[bytes]) -> None:
        try:
            async with transaction(self.connection):
                await copy(self.connection, rows)
                raise _TakenBack
        except _TakenBack:
            pass


class _TakenBack(Exception):
    pass


async def copy(connection: asyncpg.Connection, rows: list[bytes]) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield journal.HEADER + b"".join(rows) + journal.TRAILER

    await connection.copy_to_table(
        "journal",
        schema_name="ledger",
        columns=journal.COLUMNS,
        source=source(),
        format="binary",
    )


@pytest.fixture(scope="module")
def shared_urls(databases: Databases) -> Iterator[DatabaseUrls]:
    """One database for all tests here: what they send is refused or taken back."""
    urls = databases.make()
    yield urls
    databases.drop(urls)


@pytest.fixture(scope="module")
def sql(shared_urls: DatabaseUrls) -> Iterator[Server]:
    server = Server(shared_urls)
    yield server
    server.close()


# -- what the rules accept

edge = st.sampled_from([0, 1, AMOUNT_MAX, 2**53, 2**61, TOTAL_MAX - 1, TOTAL_MAX])
totals = st.one_of(edge, st.integers(0, TOTAL_MAX))
accounts = st.one_of(st.sampled_from([1, 2, 2**63 - 1]), st.integers(1, 2**63 - 1))
small = st.sampled_from([1, SGD, 2**15 - 1])
amounts = st.one_of(st.sampled_from([1, AMOUNT_MAX]), st.integers(1, AMOUNT_MAX))
references = st.one_of(
    st.just(""),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(["\U0010ffff" * REFERENCE_MAX, "\\N", "\t\r\n", "\ufeff", "é" * 512, "\x7f"]),
)
times = st.sampled_from([NOW + 1, 253_402_300_799_000_000])


@st.composite
def states(draw: st.DrawFn, currency: int) -> State:
    """Any state that some history could have led to."""
    ceiling = draw(st.one_of(st.none(), totals))
    if draw(st.booleans()):  # nothing left, nothing pending
        sum_ = draw(totals)
        return State(1, sum_, sum_, 0, 0, draw(totals), ceiling, currency, 0, 1)
    return State(
        draw(st.one_of(st.just(1), st.integers(1, 2**62))),
        draw(totals), draw(totals), draw(totals), draw(totals), draw(totals), ceiling, currency,
        draw(st.sampled_from([0, 0, 0, 1, 2, 3])), draw(small),
    )  # fmt: skip


@st.composite
def situations(
    draw: st.DrawFn, kind_of_command: type[Command]
) -> tuple[AnyCommand, dict[int, State | None], dict[bytes, Original | None]]:
    """A command, states of the accounts it touches, and the original it refers to."""
    names = draw(st.lists(accounts, min_size=2, max_size=4, unique=True))
    currency = draw(small)
    known: dict[int, State | None] = {name: draw(states(currency)) for name in names}
    legs = draw(
        st.lists(st.tuples(st.permutations(names), amounts, amounts), min_size=1, max_size=4)
    )
    postings = tuple(Posting(order[0], order[1], amount, currency) for order, amount, _ in legs)
    original = Original(
        new_id(),
        draw(small),
        held=draw(st.booleans()),
        reversible=True,
        expires_at=NOW + 1,
        legs=tuple(
            OriginalLeg(p.debit, p.credit, p.amount, currency, min(p.amount, left), 2**40)
            for p, (_, _, left) in zip(postings, legs, strict=True)
        ),
    )
    taken = draw(st.one_of(st.none(), st.just(tuple(1 for _ in legs))))
    name, id_ = names[0], new_id()
    floor, ceiling = draw(totals), draw(st.one_of(st.none(), totals))
    reference, kind = draw(references), draw(small)
    choices: list[AnyCommand] = [
        Transaction(id_, kind=kind, postings=postings, reference=reference),
        Hold(
            id_, kind=kind, postings=postings, expires_at=draw(times), reference=reference
        ),
        Capture(
            id_, hold=original.id, amounts=taken, final=draw(st.booleans()),
            reference=reference,
        ),
        Void(id_, hold=original.id),
        Reverse(id_, original=original.id, amounts=taken, reference=reference),
        OpenAccount(
            id_, account=name, type=kind, currency=currency, floor=floor, ceiling=ceiling
        ),
        SetLimits(id_, account=name, floor=floor, ceiling=ceiling),
        Freeze(id_, account=name, frozen=draw(st.booleans())),
        CloseAccount(id_, account=name),
    ]  # fmt: skip
    [command] = [choice for choice in choices if isinstance(choice, kind_of_command)]
    if isinstance(command, OpenAccount):
        known[name] = None
    if original.held:  # what is held has been reserved on both sides
        for leg in original.legs:
            for side, field in ((leg.debit, "pending_debits"), (leg.credit, "pending_credits")):
                state = known[side]
                if state is not None:
                    more = getattr(state, field) + leg.left
                    assume(more <= TOTAL_MAX)
                    known[side] = _replaced(state, **{field: more})
    return command, known, {original.id: original}


def _replaced(state: State, **changes: int) -> State:
    return State(*(changes.get(name, getattr(state, name)) for name in State.__struct_fields__))


def rows_of(command: AnyCommand, known: Any, originals: Any, n: int = 1) -> list[bytes] | None:
    """The rows of a decision; None when it is a refusal."""
    decision = decide(command, known, originals, NOW)
    if decision.result != Result.POSTED:
        return None
    rows: list[bytes] = []
    reference = getattr(command, "reference", "")
    journal.write_decision(rows, decision, n, NOW, command.id, digest_of(command), reference, 0)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_rules_accept_sql_accepts(sql: Server, kind: type[Command]) -> None:
    accepted = 0

    @settings(
        max_examples=10_000 if THOROUGH else 250,
        deadline=None,
        derandomize=not THOROUGH,
        suppress_health_check=list(HealthCheck),
    )
    @given(situation=situations(kind))
    def check(situation: Any) -> None:
        nonlocal accepted
        command, known, originals = situation
        validate(command)
        assert set(accounts_of(command)) <= set(known)
        assert original_of(command) in (None, *originals)
        rows = rows_of(command, known, originals)
        if rows is not None:
            accepted += 1
            sql.accepts(rows)

    check()
    assert accepted, "the rules accepted none"


@pytest.mark.parametrize("result", [r for r in Result if r > Result.ID_REUSED])
def test_every_refusal_can_be_written(sql: Server, result: Result) -> None:
    rows: list[bytes] = []
    journal.write_refusal(rows, result, 2**15 - 1, 1, NOW, new_id(), b"d" * 32, 0)
    sql.accepts(rows)


def test_as_many_legs_as_a_transaction_may_have(sql: Server) -> None:
    rich = State(1, 0, 0, 0, 0, TOTAL_MAX, None, SGD, 0, 1)
    legs = tuple(Posting(1, 2, AMOUNT_MAX, SGD) for _ in range(LEGS_MAX // 4))
    small = tuple(Posting(1, 2, 1, SGD) for _ in range(LEGS_MAX - len(legs)))
    hold = Hold(new_id(), postings=legs + small, expires_at=NOW + 1, reference="x" * 512)
    poor = State(1, 0, 0, 0, 0, 0, None, SGD, 0, 1)
    known = {1: rich, 2: poor}
    decision = decide(hold, known, {}, NOW)
    rows = rows_of(hold, known, {})
    assert rows is not None
    sql.accepts(rows)
    final = Capture(new_id(), hold=hold.id, amounts=(1,) * LEGS_MAX, final=True)
    after = rows_of(final, decision.accounts, {hold.id: decision.original}, LEGS_MAX + 1)
    assert after is not None
    sql.accepts(rows + after)


# -- what SQL alone refuses


def log_row(**changes: Any) -> dict[str, Any]:
    """A good payment's only log row."""
    return {
        "stream": 1, "n": 10, "at": NOW, "amount": 5, "transaction_id": new_id(),
        "digest": b"d" * 32, "debit": 1, "credit": 2, "shard": 0, "leg": 0, "legs": 1,
        "type": int(LegType.POST), "kind": 1, "result": 0, "currency": SGD, "seq": 2,
        **changes,
    }  # fmt: skip


def entry_row(**changes: Any) -> dict[str, Any]:
    """A good entry of somebody who paid 5 of 10."""
    return {
        "stream": 2, "n": 10, "at": NOW, "amount": -5, "type": int(LegType.POST), "account": 1,
        "seq": 2, "posted_debits": 5, "posted_credits": 10, "pending_debits": 0,
        "pending_credits": 0, "floor": 0, "ceiling": None, "currency": SGD, "flags": 0,
        "account_type": 1, **changes,
    }  # fmt: skip


def remainder_row(**changes: Any) -> dict[str, Any]:
    """What is left of a hold."""
    return {
        "stream": 3, "n": 10, "at": NOW, "amount": 3, "transaction_id": b"h" * 16, "leg": 0,
        "seq": 1, **changes,
    }  # fmt: skip


TOO_MUCH = TOTAL_MAX + 1
BROKEN = {
    # constraint: rows, of which the last breaks it
    "log_amount": [
        [log_row(amount=0)],
        [log_row(amount=-1)],
        [log_row(amount=AMOUNT_MAX + 1)],
        [log_row(type=int(LegType.HOLD), amount=0)],
        [log_row(type=int(LegType.REFUSAL), result=16, amount=1)],
        [log_row(type=int(LegType.ACCOUNT), amount=1)],
    ],
    "log_sides": [
        [log_row(credit=None)],
        [log_row(debit=None)],
        [log_row(currency=None)],
        [log_row(debit=2)],
    ],
    "log_whole": [
        [log_row(digest=None)],
        [log_row(legs=None)],
        [log_row(leg=1, digest=b"d" * 32, legs=None)],
        [log_row(leg=1, digest=None, legs=2)],
        [log_row(leg=-1, digest=None, legs=None)],
        [log_row(transaction_id=None)],
        [log_row(type=None)],
        [log_row(kind=None)],
        [log_row(result=None)],
        [log_row(leg=None)],
    ],
    "log_digest": [[log_row(digest=b"d" * 31)], [log_row(digest=b"")]],
    "log_result": [
        [log_row(result=16)],
        [log_row(type=int(LegType.REFUSAL), amount=0, result=0)],
    ],
    "log_reference": [[log_row(reference="x" * (REFERENCE_MAX + 1))]],
    "log_pkey": [[log_row(), log_row()]],
    "log_transaction": [
        [log_row(transaction_id=b"i" * 16), log_row(n=11, transaction_id=b"i" * 16)]
    ],
    "entry_whole": [
        [entry_row(**{name: None})]
        for name in (
            "account", "seq", "type", "posted_debits", "posted_credits", "pending_debits",
            "pending_credits", "floor", "currency", "flags", "account_type",
        )
    ],
    "entry_totals": [
        *([entry_row(**{name: -1, "amount": 0})] for name in ("pending_debits", "floor")),
        [entry_row(posted_debits=TOO_MUCH, floor=TOTAL_MAX, amount=0)],
        [entry_row(posted_credits=TOO_MUCH)],
        [entry_row(pending_credits=TOO_MUCH)],
        [entry_row(pending_debits=TOO_MUCH, floor=TOTAL_MAX, amount=0)],
        [entry_row(floor=TOO_MUCH)],
        [entry_row(ceiling=-1)],
        [entry_row(ceiling=TOO_MUCH)],
    ],
    "entry_floor": [
        [entry_row(posted_debits=11)],
        [entry_row(posted_debits=16, floor=5)],
        [entry_row(pending_debits=6)],
        [entry_row(type=int(LegType.HOLD), pending_debits=6)],
    ],
    "entry_ceiling": [
        [entry_row(amount=5, ceiling=4)],
        [entry_row(amount=5, ceiling=9, pending_credits=5)],
        [entry_row(type=int(LegType.HOLD), amount=0, ceiling=9, pending_credits=5)],
    ],
    "entry_pkey": [[entry_row(), entry_row(n=11)]],
    "remainder_whole": [
        [remainder_row(transaction_id=None)], [remainder_row(leg=None)], [remainder_row(seq=None)]
    ],
    "remainder_left": [[remainder_row(amount=-1)]],
    "remainder_pkey": [[remainder_row(), remainder_row(n=11)]],
}  # fmt: skip
SINGLE = [(name, rows) for name, cases in BROKEN.items() for rows in cases]


async def insert(connection: asyncpg.Connection, rows: list[dict[str, Any]]) -> None:
    """Add rows, see that they were accepted, and take them back."""
    with suppress(_TakenBack):
        await _insert(connection, rows)


async def _insert(connection: asyncpg.Connection, rows: list[dict[str, Any]]) -> None:
    async with transaction(connection):
        for row in rows:
            columns = ", ".join(row)
            places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
            await connection.execute(
                f"INSERT INTO ledger.journal ({columns}) VALUES ({places})", *row.values()
            )
        raise _TakenBack


@pytest.mark.parametrize(
    ("constraint", "rows"), SINGLE, ids=[f"{name}-{i}" for i, (name, _) in enumerate(SINGLE)]
)
def test_each_broken_invariant_is_refused(
    sql: Server, constraint: str, rows: list[dict[str, Any]]
) -> None:
    sql.run(insert(sql.connection, rows[:-1]))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
        sql.run(insert(sql.connection, rows))
    if isinstance(caught.value, asyncpg.NotNullViolationError):  # a column of the primary key
        assert constraint in ("entry_whole", "remainder_whole")
    else:
        assert caught.value.constraint_name == constraint


def test_unbroken_rows_are_accepted(sql: Server) -> None:
    sql.run(insert(sql.connection, [log_row(), entry_row(), remainder_row()]))


def test_every_constraint_of_the_log_is_broken_by_a_case(sql: Server) -> None:
    rows = sql.run(
        sql.connection.fetch(
            "SELECT conname FROM pg_constraint WHERE contype IN ('c', 'p')"
            " AND conrelid IN ('ledger.log'::regclass, 'ledger.entry'::regclass,"
            " 'ledger.remainder'::regclass)"
        )
    )
    assert {row["conname"] for row in rows} | {"log_transaction"} == set(BROKEN)


@pytest.mark.parametrize("stream", [0, 4, -1])
def test_a_row_of_no_stream_has_no_place(sql: Server, stream: int) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        sql.run(insert(sql.connection, [log_row(stream=stream)]))


@pytest.fixture(scope="module")
def written_urls(databases: Databases) -> Iterator[DatabaseUrls]:
    """A database with a row in each table."""

    async def write(urls: DatabaseUrls) -> None:
        connection = await connect(urls.ledger, "tikiwallet_ledger")
        await journal.teach(connection)
        for row in (log_row(), entry_row(), remainder_row()):
            places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
            await connection.execute(
                f"INSERT INTO ledger.journal ({', '.join(row)}) VALUES ({places})", *row.values()
            )
        await connection.close()

    urls = databases.make()
    run_apart(write(urls))
    yield urls
    databases.drop(urls)


CHANGES = [
    "UPDATE {} SET amount = amount WHERE n = 10",
    "UPDATE {} SET amount = 1 WHERE false",
    "DELETE FROM {} WHERE n = 10",
    "TRUNCATE {}",
]


@pytest.mark.parametrize("role", ["owner", "ledger", "app"])
@pytest.mark.parametrize("table", ["journal", "log", "entry", "remainder"])
@pytest.mark.parametrize("change", CHANGES, ids=["update", "update nothing", "delete", "truncate"])
async def test_what_is_written_stays(
    written_urls: DatabaseUrls, role: str, table: str, change: str
) -> None:
    steps_down = {"owner": None, "ledger": "tikiwallet_ledger", "app": "tikiwallet_app"}
    connection = await connect(getattr(written_urls, role), steps_down[role])
    try:
        with pytest.raises(
            (asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)
        ) as caught:
            await connection.execute(change.format(f"ledger.{table}"))
        if role == "owner":
            assert "append-only" in str(caught.value)
        assert await connection.fetchval("SELECT count(*) FROM ledger.journal") == 3
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["app"])
async def test_others_cannot_add_to_the_log(shared_urls: DatabaseUrls, role: str) -> None:
    connection = await connect(getattr(shared_urls, role), "tikiwallet_app")
    await journal.teach(connection)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert(connection, [log_row()])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE ledger.lease SET epoch = 0")
    finally:
        await connection.close()
