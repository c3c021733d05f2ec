"""The ledger over its socket: the same answers, whatever the other side does."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.ledger.writers import (
    BANK,
    LEASE,
    SGD,
    Blockade,
    balances,
    counts,
    crash,
    furnish,
    in_the_past,
    new_id,
    open_account,
    options,
    pay,
    running,
    soon,
    until,
)
from tests.servers import DatabaseUrls

from tikiwallet.errors import Unavailable
from tikiwallet.ledger import frames
from tikiwallet.ledger.link import LedgerLink
from tikiwallet.ledger.link_server import LinkServer
from tikiwallet.ledger.transactions import (
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    Outcome,
    Posting,
    Result,
    Reverse,
    SetLimits,
    Transaction,
    Void,
    digest_of,
)
from tikiwallet.ledger.writer import Writer

ALICE, BOB = 11, 12
FAR = 4_000_000_000_000_000


@asynccontextmanager
async def served(writer: Writer, path: Path) -> AsyncIterator[LinkServer]:
    server = LinkServer(writer, path)
    await server.start()
    try:
        await until(path.exists)
        yield server
    finally:
        await soon(server.stop())


@asynccontextmanager
async def linked(path: Path, lease: float = LEASE) -> AsyncIterator[LedgerLink]:
    link = LedgerLink(path, lease_seconds=lease)
    await link.start()
    try:
        await soon(link.connected.wait())
        yield link
    finally:
        await soon(link.stop())


@pytest.fixture
def path(data_dir: Path) -> Path:
    return data_dir / "run" / "ledger.sock"


@pytest.fixture
async def link(writer: Writer, path: Path) -> AsyncIterator[LedgerLink]:
    """A link to a writer where Alice has 1,000 and Bob nothing."""
    await furnish(writer, {ALICE: 1_000, BOB: 0})
    async with served(writer, path), linked(path) as link:
        yield link


async def read_frames(reader: asyncio.StreamReader) -> AsyncIterator[frames.Answer]:
    """What the writer's side sends, but for its beats."""
    while True:
        length = int.from_bytes(await reader.readexactly(4), "big")
        answer = frames.answer_decoder.decode(await reader.readexactly(length))
        if not isinstance(answer, frames.Beat):
            yield answer


async def ends(reader: asyncio.StreamReader) -> None:
    """Returns when the other side has hung up."""
    while await soon(reader.read(65_536)):
        pass


# -- the same ledger


async def test_every_kind_of_command(link: LedgerLink) -> None:
    hold = Hold(new_id(), postings=(Posting(ALICE, BOB, 100, SGD),), expires_at=FAR)
    payment = pay(ALICE, BOB, 30, reference="Grüße 🎈")
    empty = open_account(77, ceiling=5)
    commands: list[AnyCommand] = [
        payment,
        hold,
        Capture(new_id(), hold=hold.id, amounts=(40,)),
        Void(new_id(), hold=hold.id),
        Reverse(new_id(), original=payment.id, amounts=(10,)),
        empty,
        SetLimits(new_id(), account=77, floor=1, ceiling=None),
        Freeze(new_id(), account=77),
        CloseAccount(new_id(), account=77),
        Abandon(new_id()),
        pay(ALICE, BOB, 10_000),
    ]
    results = []
    for command in commands:
        outcome = await soon(link.post(command))
        results.append(Result(outcome.result))
        again = await soon(link.post(command))
        assert again == Outcome(outcome.result, outcome.n, outcome.at, outcome.payer, True)
    assert results == [Result.POSTED] * 9 + [Result.ABANDONED, Result.INSUFFICIENT_FUNDS]
    states = await soon(link.states([ALICE, BOB, 77, 78]))
    assert [s and s.posted for s in states] == [940, 60, 0, None]
    assert states[2].flags == 3
    assert await soon(link.stable_n()) >= outcome.n


async def test_looking_up(link: LedgerLink) -> None:
    command = pay(ALICE, BOB, 30)
    assert await soon(link.look_up(command.id, digest_of(command))) is None
    outcome = await soon(link.post(command))
    found = await soon(link.look_up(command.id, digest_of(command)))
    assert found == Outcome(outcome.result, outcome.n, outcome.at, outcome.payer, True)
    other = await soon(link.look_up(command.id, b"?" * 32))
    assert other.result == Result.ID_REUSED


async def test_malformed_commands_raise_on_the_callers_side(link: LedgerLink) -> None:
    with pytest.raises(ValueError, match="amount"):
        await link.post(pay(ALICE, BOB, 0))


async def test_many_at_once(link: LedgerLink, writer: Writer) -> None:
    commands = [pay(BANK, BOB, 1) for _ in range(10_000)]
    outcomes = await soon(link.post_many([*commands, commands[0]]))
    assert counts(outcomes) == {Result.POSTED: 10_001}
    assert outcomes[-1].replayed
    assert await balances(writer, [BOB]) == [10_000]


async def test_as_many_legs_as_there_can_be(link: LedgerLink, writer: Writer) -> None:
    """More than fits into one frame."""
    legs = tuple(Posting(2**63 - 2, 2**63 - 3, 2**53 - 1, SGD) for _ in range(1_000))
    commands = [Transaction(new_id(), postings=legs) for _ in range(350)]
    assert sum(len(msgspec.msgpack.encode(command)) for command in commands) > frames.FRAME_MAX
    told = counts(await soon(link.post_many(commands)))
    assert set(told) <= {Result.UNKNOWN_ACCOUNT, Result.OVERLOADED}
    assert told[Result.UNKNOWN_ACCOUNT] > 0
    assert (await soon(link.post(pay(ALICE, BOB, 1)))).result == Result.POSTED


async def test_more_states_than_fit_into_one_frame(link: LedgerLink) -> None:
    asked = [ALICE, BOB] * 250_000
    states = await soon(link.states(asked))
    assert len(states) == len(asked)
    assert {state.posted for state in states if state is not None} == {0, 1_000}


async def test_many_reads_at_once(link: LedgerLink) -> None:
    asked = [[ALICE, BOB, number] for number in range(100, 2_100)]
    told = await soon(asyncio.gather(*(link.states(accounts) for accounts in asked)))
    assert [[s and s.posted for s in states] for states in told] == [[1_000, 0, None]] * 2_000


async def test_a_deadline_that_has_passed(link: LedgerLink) -> None:
    outcome = await soon(link.post(pay(ALICE, BOB, 1), in_the_past()))
    assert outcome.result in (Result.OVERLOADED, Result.UNAVAILABLE)
    assert [s.posted for s in await soon(link.states([ALICE, BOB]))] == [1_000, 0]


async def test_a_read_while_a_commit_takes_too_long(
    link: LedgerLink, writer: Writer, database_urls: DatabaseUrls
) -> None:
    async with Blockade(database_urls) as blockade:
        paying = asyncio.create_task(link.post(pay(ALICE, BOB, 1)))
        await blockade.met()
        term = writer.term
        assert term is not None
        await until(lambda: not term.leads())
        with pytest.raises(Unavailable):
            await soon(link.states([ALICE]))
        with pytest.raises(Unavailable):
            await soon(link.look_up(new_id(), b"?" * 32))
    # Its own beats stopped too, so the link came back and sent the payment once more.
    assert (await soon(paying)).result == Result.POSTED
    assert [s.posted for s in await soon(link.states([ALICE, BOB]))] == [999, 1]


# -- the other side misbehaves


async def test_the_socket_is_its_owners_alone(link: LedgerLink, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\5hello",
        b"\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100,
        frames.pack(frames.Beat(1)),
        b"\xff\xff\xff\xff",
        (frames.FRAME_MAX + 1).to_bytes(4, "big"),
        b"\0\0\0\3" + msgspec.msgpack.encode([1, 2]),
        b"\0\0\0\4" + msgspec.msgpack.encode([1, [7]])[:4],
    ],
)
async def test_what_cannot_be_read_is_hung_up_on_and_harms_nobody(
    link: LedgerLink, path: Path, garbage: bytes
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(garbage)
    await ends(reader)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    assert (await soon(link.post(pay(ALICE, BOB, 1)))).result == Result.POSTED


async def test_a_frame_that_comes_byte_by_byte(link: LedgerLink, path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    data = frames.pack(frames.Read([frames.ReadItem(5, [ALICE])]))
    for byte in data * 2:
        writer.write(bytes([byte]))
        await writer.drain()
    answers = read_frames(reader)
    for _ in range(2):
        answer = await soon(anext(answers))
        assert isinstance(answer, frames.States)
        [item] = answer.items
        assert item.seq == 5
        assert item.states is not None
        assert item.states[0] is not None
        assert item.states[0].posted == 1_000
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_malformed_commands_in_a_good_frame(link: LedgerLink, path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    good = pay(ALICE, BOB, 1)
    items = [
        frames.PostItem(1, 5_000, pay(ALICE, BOB, -5)),
        frames.PostItem(2, 5_000, good),
        frames.PostItem(3, 5_000, pay(ALICE, BOB, 1, reference="\0")),
    ]
    writer.write(frames.pack(frames.Post(items)))
    told: dict[int, frames.OutcomeItem] = {}
    answers = read_frames(reader)
    while len(told) < 3:
        answer = await soon(anext(answers))
        assert isinstance(answer, frames.Outcomes)
        told.update({item.seq: item for item in answer.items})
    assert told[1].outcome is None
    assert "amount" in told[1].error
    assert told[2].outcome is not None
    assert told[2].outcome.result == Result.POSTED
    assert "NUL" in told[3].error
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_a_look_up_of_what_is_no_id(link: LedgerLink, path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(frames.pack(frames.LookUp(9, b"short", b"")))
    answer = await soon(anext(read_frames(reader)))
    assert isinstance(answer, frames.Outcomes)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    with pytest.raises(ValueError, match="16 bytes"):
        await link.look_up(b"short", b"")


async def test_whoever_does_not_read_answers_is_not_heard_and_fills_no_memory(
    link: LedgerLink, path: Path, writer: Writer
) -> None:
    loop = asyncio.get_running_loop()
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setblocking(False)
    await loop.sock_connect(deaf, str(path))
    question = frames.pack(frames.Read([frames.ReadItem(1, [ALICE] * 10_000)]))
    sent = 0
    try:
        async with asyncio.timeout(10):
            while sent < 400:
                async with asyncio.timeout(1):
                    await loop.sock_sendall(deaf, question)
                    sent += 1
    except TimeoutError:
        pass
    assert sent < 400, "questions were taken without end though no answer was read"
    assert (await soon(link.post(pay(ALICE, BOB, 1)))).result == Result.POSTED
    assert (await soon(link.states([BOB])))[0].posted == 1
    deaf.close()
    assert (await soon(link.post(pay(ALICE, BOB, 1)))).result == Result.POSTED


async def test_a_client_that_hangs_up_with_work_under_way(
    link: LedgerLink, path: Path, writer: Writer, database_urls: DatabaseUrls
) -> None:
    command = pay(ALICE, BOB, 5)
    async with Blockade(database_urls) as blockade:
        _, other = await asyncio.open_unix_connection(str(path))
        other.write(frames.pack(frames.Post([frames.PostItem(1, 5_000, command)])))
        await blockade.met()
        other.transport.abort()
        with suppress(OSError):
            await other.wait_closed()
    await until(lambda: not writer.intake.under_way)
    again = await soon(link.post(command))
    assert (again.result, again.replayed) == (Result.POSTED, True)


# -- writers come and go


async def test_what_had_no_answer_is_sent_again_to_the_next_writer(
    database_urls: DatabaseUrls, path: Path
) -> None:
    """The first writer is only cut off, not asked to say farewell: nobody hears from it again."""
    commands = [pay(ALICE, BOB, 1) for _ in range(20)]
    async with running(options(database_urls)) as first:
        await furnish(first, {ALICE: 1_000, BOB: 0})
        server = LinkServer(first, path)
        await server.start()
        await until(path.exists)
        async with linked(path) as link:
            async with Blockade(database_urls) as blockade:
                tasks = [asyncio.create_task(link.post(command)) for command in commands]
                await blockade.met()
                reading = asyncio.create_task(link.states([ALICE, BOB]))
                for connection in list(server._connections):
                    assert connection._transport is not None
                    connection._transport.abort()
                path.unlink()
                await soon(server.stop())
                await crash(first)
            async with running(options(database_urls)) as second, served(second, path):
                assert counts(await soon(asyncio.gather(*tasks))) == {Result.POSTED: 20}
                # Wherever it fell among the batches, it saw whole ones.
                alice, bob = [state.posted for state in await soon(reading)]
                assert (alice + bob, 0 <= bob <= 20) == (1_000, True)
                assert await balances(second, [ALICE, BOB]) == [980, 20]


async def test_a_link_waits_for_a_writer(database_urls: DatabaseUrls, path: Path) -> None:
    link = LedgerLink(path, lease_seconds=LEASE)
    await link.start()
    posting = asyncio.create_task(link.post(open_account(ALICE)))
    reading = asyncio.create_task(link.states([BOB]))
    asking = asyncio.create_task(link.stable_n())
    await asyncio.sleep(0)
    async with running(options(database_urls)) as writer, served(writer, path):
        assert (await soon(posting)).result == Result.POSTED
        assert await soon(reading) == [None]
        assert await soon(asking) >= 1
    await soon(link.stop())


async def test_without_a_writer_callers_are_told_in_time(path: Path) -> None:
    link = LedgerLink(path, lease_seconds=LEASE)
    await link.start()
    loop = asyncio.get_running_loop()
    outcome = await soon(link.post(open_account(ALICE), loop.time() + 0.1))
    assert outcome == Outcome(Result.UNAVAILABLE)
    waiting = asyncio.create_task(link.post(open_account(ALICE)))
    reading = asyncio.create_task(link.states([ALICE]))
    await asyncio.sleep(0)
    await soon(link.stop())
    assert (await soon(waiting)).result == Result.UNAVAILABLE
    with pytest.raises(Unavailable):
        await soon(reading)


async def test_a_silent_writer_is_left(path: Path) -> None:
    """Its socket is open and nothing comes out of it, as when its process is stopped."""
    path.parent.mkdir()
    accepted: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_unix_server(accept, str(path))
    link = LedgerLink(path, lease_seconds=0.05)
    await link.start()
    await until(lambda: len(accepted) >= 3)
    await soon(link.stop())
    server.close()
    for writer in accepted:
        writer.close()
        with suppress(ConnectionError):
            await soon(writer.wait_closed())
    await server.wait_closed()


async def test_a_writer_that_loses_its_term_hangs_up_on_everyone(
    link: LedgerLink, path: Path, writer: Writer
) -> None:
    reader, other = await asyncio.open_unix_connection(str(path))
    assert writer.term is not None
    writer.term.end()
    await ends(reader)
    other.close()
    with suppress(OSError):
        await other.wait_closed()
    assert (await soon(link.post(pay(ALICE, BOB, 1)))).result == Result.POSTED


async def test_a_server_that_stops_sends_what_it_owes(
    database_urls: DatabaseUrls, path: Path
) -> None:
    async with running(options(database_urls)) as writer:
        await furnish(writer, {ALICE: 1_000, BOB: 0})
        async with served(writer, path) as server, linked(path) as link:
            async with Blockade(database_urls) as blockade:
                tasks = [asyncio.create_task(link.post(pay(ALICE, BOB, 1))) for _ in range(100)]
                await blockade.met()
                stopping = asyncio.create_task(writer.stop())
                await asyncio.sleep(0)
            await soon(stopping)
            await soon(server.stop())
            assert counts(await soon(asyncio.gather(*tasks))) == {Result.POSTED: 100}


async def test_a_socket_left_by_a_dead_process_is_replaced(writer: Writer, path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    inode = path.stat().st_ino
    server = LinkServer(writer, path)
    await server.start()
    await until(lambda: path.stat().st_ino != inode)
    async with linked(path) as link:
        assert await soon(link.stable_n()) == 1
    await soon(server.stop())
