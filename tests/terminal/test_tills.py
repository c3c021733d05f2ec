"""The tills of a shop tell each other what they took: a payer's clone is refused at the second."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from tests.faults import installation
from tests.terminal.devices import Device, device
from tests.terminal.networks import cable, run_in
from tests.terminal.shops import BUDI, SARI, Issuer, Shop, paid, provide

from tikiwallet.offline import evidence
from tikiwallet.offline.wire import chain
from tikiwallet.offline.wire.cose import Kind as Message
from tikiwallet.offline.wire.messages import Pay
from tikiwallet.terminal import link as links
from tikiwallet.terminal import memory
from tikiwallet.terminal import tills as tills_module
from tikiwallet.terminal.device import Terminal
from tikiwallet.terminal.discovery import Peer
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.link import Certificate, Hello, Kind, Link, LinkLost
from tikiwallet.terminal.seen import ELSEWHERE, PASSED_ON, packed

NAME: Final = "Toko Sari"
TOMO: Final = "+819012345678"


async def until(so: Callable[[], bool]) -> None:
    await installation.until(so, 20, "what the test waits for")


class Till:
    """A terminal whose line is the test, and which meets only whom the test says."""

    def __init__(self, terminal: Terminal, heard: list[tuple[str, dict[str, Any]]]) -> None:
        self.terminal = terminal
        self.heard = heard
        self.sent: list[bytes] = []
        terminal._machines._send = self._send

    async def _send(self, message: bytes) -> None:
        self.sent.append(message)

    def sees(self, *others: "Till") -> None:
        """They are on one network."""
        discovery = self.terminal._discovery
        assert discovery is not None
        discovery.peers = {one.peer.id: one.peer for one in others}
        self.terminal._peers_changed({})

    @property
    def peer(self) -> Peer:
        terminal = self.terminal
        assert terminal._listener is not None
        return Peer(terminal._id(), terminal.name, ("127.0.0.1",), terminal._listener.port)

    async def is_linked(self, count: int = 1) -> None:
        await until(lambda: self.terminal.status()["tills"] == count)

    async def invites(self, amount: int = 1_000, phone: str = BUDI) -> bytes:
        await self.terminal._machines.ask(phone, amount)
        return self.sent.pop()

    async def takes(self, pay: bytes) -> dict[str, Any]:
        """What its screen turns to."""
        await self.terminal._came(pay)
        return next(facts for event, facts in reversed(self.heard) if event == "show")

    async def knows(self, pay: bytes) -> None:
        await until(lambda: pay in self.terminal._shop.taken())

    async def has_proof(self) -> None:
        await until(lambda: bool(self.proofs()))

    def proofs(self) -> list[dict[str, Any]]:
        return self.terminal.proofs()


Open = Callable[..., Awaitable[Till]]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(int(time.time()))


async def prepare(
    folder: Path, issuer: Issuer, phone: str, name: str, id: str = "", hops: int = 0
) -> None:
    journal = Journal.open(folder)
    await provide(journal, issuer, phone, name, 5_000, hops=hops)
    journal.write(Change(Shelf.FACT, b"phone", phone.encode()))
    if id:
        journal.write(Change(Shelf.FACT, b"id", id.encode()))
    journal.close()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Till]:
    heard: list[tuple[str, dict[str, Any]]] = []

    def tell(event: str, /, **facts: Any) -> None:
        heard.append((event, facts))

    terminal = await Terminal.open(folder, server=None, recover=False, tell=tell)
    assert terminal._discovery is not None
    await terminal._discovery.close()  # the test says who is near
    try:
        yield Till(terminal, heard)
    finally:
        await terminal.close()


@pytest.fixture
async def open_till(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Open]:
    """Opens terminals; those of one phone number are one shop's."""
    async with AsyncExitStack() as stack:

        async def open_(id: str, phone: str = SARI, name: str = NAME) -> Till:
            await prepare(tmp_path / id, issuer, phone, name, id)
            return await stack.enter_async_context(opened(tmp_path / id))

        yield open_


@pytest.fixture
async def clones(tmp_path: Path, issuer: Issuer) -> AsyncIterator[tuple[Shop, Shop]]:
    """Budi's device, and a copy of it."""
    await prepare(tmp_path / "budi", issuer, BUDI, "Budi")
    shutil.copytree(tmp_path / "budi", tmp_path / "clone")
    both = [Shop(tmp_path / name, BUDI, time.time) for name in ("budi", "clone")]
    for one in both:
        await one.machines.start()
    yield both[0], both[1]
    for one in both:
        one.journal.close()


@pytest.fixture
async def tomo(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Shop]:
    """Who may pass on what he is paid with; he has 50.00."""
    await prepare(tmp_path / "tomo", issuer, TOMO, "Tomo", hops=1)
    shop = Shop(tmp_path / "tomo", TOMO, time.time)
    await shop.machines.start()
    yield shop
    shop.journal.close()


async def pays(payer: Shop, invite: bytes) -> bytes:
    await payer.machines.received(invite)
    await payer.machines.typed(SARI)
    await payer.machines.confirmed()
    return payer.takes(Message.PAY)


async def test_a_clone_is_refused_at_the_second_till(
    open_till: Open, clones: tuple[Shop, Shop], issuer: Issuer
) -> None:
    one, other = await open_till("a"), await open_till("b")
    one.sees(other)
    other.sees(one)
    await one.is_linked()
    await other.is_linked()
    first = await pays(clones[0], await one.invites())
    second = await pays(clones[1], await other.invites())
    async with asyncio.timeout(1):
        assert (await one.takes(first))["view"] == "accepted"
        await other.knows(first)
    shown = await other.takes(second)
    assert (shown["view"], shown["refusal"], shown["text"]) == ("refused", "conflict", ELSEWHERE)
    [proof] = other.proofs()
    proven = evidence.verify(json.loads(json.dumps(proof)), issuer.root.public)
    assert {one.raw for one in proven.messages} == {first, second}
    assert "signed_twice" in [event for event, _ in other.heard]
    await other.terminal.cancel()


async def test_what_was_passed_on_is_refused_at_the_second_till(
    open_till: Open, clones: tuple[Shop, Shop], tomo: Shop, issuer: Issuer
) -> None:
    one, other = await open_till("a"), await open_till("b")
    one.sees(other)
    await other.is_linked()
    await paid(tomo, clones[0], 2_000)
    passed = await pays(tomo, await one.invites(6_000, TOMO))
    assert (await one.takes(passed))["view"] == "accepted"
    for pay in chain.read(passed).pays:
        await other.knows(pay.raw)
    second = await pays(clones[1], await other.invites())
    assert (await other.takes(second))["text"] == ELSEWHERE
    [proof] = other.proofs()
    evidence.verify(proof, issuer.root.public)


async def test_what_another_till_took_is_refused_when_it_is_passed_on(
    open_till: Open, clones: tuple[Shop, Shop], tomo: Shop, tmp_path: Path
) -> None:
    one, other = await open_till("a"), await open_till("b")
    one.sees(other)
    await other.is_linked()
    first = await pays(clones[0], await one.invites())
    await one.takes(first)
    await other.knows(first)
    await paid(tomo, clones[1], 2_000)
    passed = await pays(tomo, await other.invites(6_000, TOMO))
    shown = await other.takes(passed)
    assert (shown["refusal"], shown["text"]) == ("conflict", PASSED_ON.format(name="Budi"))
    assert len(other.proofs()) == 1


async def test_two_payments_in_one_place_are_shown_at_once(
    open_till: Open, clones: tuple[Shop, Shop], tomo: Shop, issuer: Issuer
) -> None:
    sari = await open_till("a")
    for clone in clones:
        payee = tomo.machines._till
        assert payee
        till = replace(payee.state.till, taken=())  # so he takes what he could refuse
        payee.state = replace(payee.state, till=till)
        await paid(tomo, clone, 2_000)
    passed = await pays(tomo, await sari.invites(8_000, TOMO))
    shown = await sari.takes(passed)
    assert (shown["refusal"], shown["text"]) == ("conflict", PASSED_ON.format(name="Budi"))
    [proof] = sari.proofs()
    evidence.verify(proof, issuer.root.public)
    [told] = [facts for event, facts in sari.heard if event == "signed_twice"]
    assert told["name"] == "Budi"
    assert "both were shown here" in told["text"]


async def test_both_took_it_before_they_met(
    open_till: Open, clones: tuple[Shop, Shop], issuer: Issuer
) -> None:
    one, other = await open_till("a"), await open_till("b")
    for till, clone in ((one, clones[0]), (other, clones[1])):
        pay = await pays(clone, await till.invites())
        assert (await till.takes(pay))["view"] == "accepted"
    one.sees(other)
    for till in (one, other):
        await till.has_proof()
        evidence.verify(till.proofs()[0], issuer.root.public)
        assert [event for event, _ in till.heard].count("signed_twice") == 1


async def test_a_third_till_hears_it_from_the_second(
    open_till: Open, clones: tuple[Shop, Shop]
) -> None:
    """The first is gone when the third comes, and the fourth is no neighbour of any other."""
    one, other, third = [await open_till(id) for id in ("a", "b", "c")]
    pay = await pays(clones[0], await one.invites())
    await one.takes(pay)
    one.sees(other)
    await other.knows(pay)
    other.sees(third)
    await third.knows(pay)
    fourth = await open_till("d")
    third.sees(fourth)
    await fourth.knows(pay)
    again = await pays(clones[1], await fourth.invites())
    assert (await fourth.takes(again))["text"] == ELSEWHERE


async def test_the_same_payers_next_payment_goes_on_at_the_other_till(
    open_till: Open, clones: tuple[Shop, Shop]
) -> None:
    one, other = await open_till("a"), await open_till("b")
    one.sees(other)
    await other.is_linked()
    budi = clones[0]
    pay = await pays(budi, await one.invites())
    await one.takes(pay)
    await budi.machines.received(one.sent.pop())
    await other.knows(pay)
    assert (await other.takes(await pays(budi, await other.invites())))["view"] == "accepted"
    assert not other.proofs()


@pytest.mark.parametrize("first", ["a", "c"])
async def test_a_till_has_a_new_issuer_key_from_the_other(
    open_till: Open, issuer: Issuer, first: str
) -> None:
    """Whether it calls or is called, and there is no service near."""
    behind = await open_till(first)
    issuer.rotate()
    ahead = await open_till("b")
    for one, other in ((behind, ahead), (ahead, behind)):
        one.sees(other)
    await behind.is_linked()
    known = behind.terminal._machines.known
    assert known is not None
    assert known.keys == issuer.known().keys == _kept_keys(behind)


async def test_a_new_issuer_key_comes_before_the_first_payment_that_needs_it(
    open_till: Open, tmp_path: Path, issuer: Issuer
) -> None:
    """Two tills are linked when one of them syncs."""
    one, other = await open_till("a"), await open_till("b")
    one.sees(other)
    await other.is_linked()
    issuer.rotate()
    await one.terminal._machines.learn(issuer.known().keys)
    await prepare(tmp_path / "budi", issuer, BUDI, "Budi")
    budi = Shop(tmp_path / "budi", BUDI, time.time)
    await budi.machines.start()
    pay = await pays(budi, await one.invites())
    budi.journal.close()
    assert (await one.takes(pay))["view"] == "accepted"
    await other.knows(pay)
    await other.is_linked()


def _kept_keys(till: Till) -> bytes:
    kept = memory.known(till.terminal._journal)
    assert kept is not None
    return kept.keys


async def test_keys_that_the_root_did_not_sign_teach_nothing(
    open_till: Open, clones: tuple[Shop, Shop], issuer: Issuer
) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    before = _kept_keys(till)
    pay = await pays(clones[0], await fellow.invites())
    stranger = Issuer(issuer.now)
    stranger.rotate()
    async with liar(till, fellow) as link:
        await link.send(Kind.MESSAGE, stranger.known().keys)
        await link.send(Kind.TAKEN, packed([pay]))
        await till.knows(pay)
    assert _kept_keys(till) == before


async def test_what_was_told_outlives_a_restart(
    open_till: Open, clones: tuple[Shop, Shop], tmp_path: Path, issuer: Issuer
) -> None:
    one = await open_till("a")
    await prepare(tmp_path / "b", issuer, SARI, NAME, "b")
    pay = await pays(clones[0], await one.invites())
    await one.takes(pay)
    async with opened(tmp_path / "b") as other:
        one.sees(other)
        await other.knows(pay)
        await until(lambda: len(other.terminal._journal.all(Shelf.TOLD)) == 1)
        one.sees()
    async with opened(tmp_path / "b") as other:
        again = await pays(clones[1], await other.invites())
        assert (await other.takes(again))["text"] == ELSEWHERE
        assert len(other.proofs()) == 1
    async with opened(tmp_path / "b") as other:
        assert len(other.proofs()) == 1


async def test_another_shop_learns_nothing(open_till: Open, clones: tuple[Shop, Shop]) -> None:
    """It announces our name; that makes it nobody's till."""
    ours, theirs = await open_till("m"), await open_till("z", "+6281111111111")
    caller = await open_till("a", "+6281111111111")
    await ours.takes(await pays(clones[0], await ours.invites()))
    came: list[Kind] = []

    async def share(link: Link) -> None:
        while True:
            came.append((await link.receive()).kind)

    assert theirs.terminal._listener is not None
    theirs.terminal._listener._on_call[Hello.TILL] = share
    ours.sees(theirs)  # ours calls
    await until(lambda: len(came) == 2)
    caller.sees(ours)  # ours is called
    call = await links.connect(
        caller.terminal._certificate, ours.peer.addresses, ours.peer.port, Hello.TILL
    )
    await caller.terminal._shop._tills._prove(call, tills_module._CALLING)
    with pytest.raises(LinkLost, match=r"hung up|broke"):
        await call.receive()
    call.close()
    assert came == [Kind.MESSAGE, Kind.PROOF]
    assert theirs.terminal._shop.taken() == caller.terminal._shop.taken() == []


@asynccontextmanager
async def liar(till: Till, fellow: Till) -> AsyncIterator[Link]:
    """A link to `till` as its fellow, in the test's hands."""
    link = await links.connect(
        fellow.terminal._certificate, till.peer.addresses, till.peer.port, Hello.TILL
    )
    try:
        await fellow.terminal._shop._tills._meet(link, calling=True)
        yield link
    finally:
        link.close()


async def ends(link: Link) -> None:
    async with asyncio.timeout(5):
        with contextlib.suppress(LinkLost):
            while True:
                await link.receive()


def test_a_frame_holds_the_longest_payments() -> None:
    longest = [bytes(chain.PAY_LONGEST)] * tills_module._IN_FRAME
    assert len(packed(longest)) <= links.BODY_MOST < len(packed([*longest, longest[0]]))


async def test_lies_and_what_is_malformed_end_the_link(
    open_till: Open, clones: tuple[Shop, Shop]
) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    real = await pays(clones[0], await fellow.invites())
    forged = real[:-64] + bytes(63) + b"\1"
    bodies = [
        packed([forged]),
        packed([b""]),
        packed([b"nonsense"]),
        packed([fellow.terminal._machines.till.requests[0].invite]),  # type: ignore[union-attr]
        packed([real])[:-1],
        b"\xff\xff" + real,
        b"\0",
    ]
    for body in bodies:
        async with liar(till, fellow) as link:
            await link.send(Kind.TAKEN, body)
            await ends(link)
    for kind, body in ((Kind.MESSAGE, real), (Kind.CONFIRMED, b""), (Kind.PROOF, bytes(64))):
        async with liar(till, fellow) as link:
            await link.send(kind, body)
            await ends(link)
    assert till.terminal._shop.taken() == []
    assert (await till.takes(await pays(clones[1], await till.invites())))["view"] == "accepted"


async def test_what_stood_before_a_lie_is_heard_when_it_is_told_again(
    open_till: Open, clones: tuple[Shop, Shop]
) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    real = await pays(clones[0], await fellow.invites())
    async with liar(till, fellow) as link:
        await link.send(Kind.TAKEN, packed([real, real[:-64] + bytes(63) + b"\1"]))
        await ends(link)
    assert till.terminal._shop.taken() == []
    async with liar(till, fellow) as link:
        await link.send(Kind.TAKEN, packed([real, real]))
        await till.knows(real)
    assert till.terminal._shop.taken() == [real]
    assert (await till.takes(await pays(clones[1], await till.invites())))["view"] == "refused"


async def test_strangers_who_call_and_say_nothing_are_few(
    open_till: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tills_module, "_UNPROVEN_MOST", 2)
    till, fellow = await open_till("a"), await open_till("b")
    certificate = Certificate.make()
    tills = till.terminal._shop._tills

    async def call() -> Link:
        return await links.connect(certificate, till.peer.addresses, till.peer.port, Hello.TILL)

    silent = [await call() for _ in range(2)]
    await until(lambda: tills._unproven == 2)
    await ends(await call())
    assert tills._unproven == 2
    for link in silent:
        link.close()
    await until(lambda: tills._unproven == 0)
    async with liar(till, fellow):
        await until(lambda: len(tills._links) == 1)
    certificate.close()


@pytest.mark.parametrize("body", [b"", bytes(64), bytes(400), b"x" * 10_000])
async def test_who_proves_nothing_is_told_nothing(
    open_till: Open, issuer: Issuer, body: bytes
) -> None:
    till = await open_till("a")
    certificate = Certificate.make()
    link = await links.connect(certificate, till.peer.addresses, till.peer.port, Hello.TILL)
    await link.send(Kind.MESSAGE, issuer.known().keys)
    await link.send(Kind.PROOF, body)
    await ends(link)
    link.close()
    certificate.close()
    assert not [event for event, _ in till.heard if event == "tills"]


async def test_a_proof_is_good_for_one_link_only(open_till: Open) -> None:
    """Whoever was shown a proof has it, but with another certificate it says nothing."""
    till, fellow = await open_till("a"), await open_till("b")
    certificate = Certificate.make()
    link = await links.connect(certificate, till.peer.addresses, till.peer.port, Hello.TILL)
    await fellow.terminal._shop._tills._prove(link, tills_module._CALLING)
    await ends(link)
    link.close()
    certificate.close()


async def test_a_flood_is_slowed_and_forgotten(
    open_till: Open, clones: tuple[Shop, Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    real = await pays(clones[0], await fellow.invites())
    heard = 0
    tell = till.terminal._shop.told

    async def told(body: bytes) -> list[bytes]:
        nonlocal heard
        heard += 1
        return await tell(body)

    monkeypatch.setattr(till.terminal._shop, "told", told)
    async with liar(till, fellow) as link:
        began = time.monotonic()
        for _ in range(40):
            await link.send(Kind.TAKEN, packed([real]))
        await until(lambda: heard >= 10)
        assert time.monotonic() - began > 9 / tills_module._FRAMES_PER_SECOND
        invite = await till.invites()  # people go on meanwhile
        assert invite
    assert till.terminal._shop.taken() == [real]
    assert len(till.terminal._journal.all(Shelf.TOLD)) == 1


async def test_old_ones_go(open_till: Open, clones: tuple[Shop, Shop]) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    pay = await pays(clones[0], await fellow.invites())
    assert await till.terminal._shop.told(packed([pay])) == [pay]
    assert await till.terminal._shop.told(packed([pay])) == []
    claimed = Pay.parse(pay).payer.expiry + 7 * 86_400
    seen = till.terminal._shop._seen
    for now, left in ((claimed - 1, 1), (claimed, 0)):
        till.terminal._machines._clock = partial(int, now)
        await seen._tidy()
        assert len(till.terminal._journal.all(Shelf.TOLD)) == len(seen.all()) == left


async def test_a_revoked_terminal_is_a_till_no_more(open_till: Open, issuer: Issuer) -> None:
    till, fellow = await open_till("a"), await open_till("b")
    till.sees(fellow)
    await fellow.is_linked()
    own = fellow.terminal._machines.own
    assert own is not None
    for message in issuer.known(revoked=(own.id,)).lists:
        await till.terminal._machines.received(message)
    owner = till.terminal._shop.owner()
    assert owner is not None
    assert not owner.has(own)
    async with asyncio.timeout(5):
        fellow.terminal._shop._tills.tell(b"anything")
        await till.is_linked(0)


def finds(one: Device, id: str) -> None:
    one.expect("peers", lambda e: any(peer["id"] == id for peer in e["peers"]))


def pays_by_line(payer: Device, payee: Device, id: str) -> Device:
    """Up to the payee's answer."""
    finds(payer, id)
    payer.do("call", peer=id)
    for one in (payer, payee):
        one.is_in("comparing")
        one.say("agree")
    for one in (payer, payee):
        one.is_in("open")
    payee.say("ask", phone=BUDI, amount=700)
    payer.shows("type_number")
    payer.say("number", phone=SARI)
    payer.shows("review")
    payer.say("confirm")
    return payee


async def test_tills_find_each_other_on_a_cable(tmp_path: Path, issuer: Issuer) -> None:
    for id in ("sari1", "sari2"):
        await prepare(tmp_path / id, issuer, SARI, NAME, id)
    await prepare(tmp_path / "budi", issuer, BUDI, "Budi", "budi")
    shutil.copytree(tmp_path / "budi", tmp_path / "clone")
    with cable() as wire:
        left, right = run_in(wire.left), run_in(wire.right)
        with device(tmp_path / "sari1", left) as one, device(tmp_path / "sari2", right) as other:
            for till in (one, other):
                till.expect("tills", lambda e: e["count"] == 1)
            with device(tmp_path / "budi", right) as budi:
                pays_by_line(budi, one, "sari1").shows("accepted")
                budi.shows("accepted")
            with device(tmp_path / "clone", left) as clone:
                assert pays_by_line(clone, other, "sari2").shows("refused")["text"] == ELSEWHERE
            assert len(other.do("proofs")) == 1
            wire.cut()
            for till in (one, other):
                till.expect("tills", lambda e: e["count"] == 0)
            wire.heal()
            for till in (one, other):
                till.expect("tills", lambda e: e["count"] == 1)
