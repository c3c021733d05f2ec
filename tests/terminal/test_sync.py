"""A terminal and a running service: signing in, a pass, what the issuer says, settling."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.faults.book import Person
from tests.faults.crowd import sign_up
from tests.faults.installation import Installation
from tests.faults.wire import Line
from tests.servers import free_port, run_apart
from tests.terminal.devices import Device, device
from tests.terminal.shops import SARI, Issuer, Shop, paid

from tikiwallet import base64url
from tikiwallet.offline.known import LISTS_MOST, Known
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import REVOKED_MOST, Pass, Revocations
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.server import Keys, Revoked, Server
from tikiwallet.terminal.sync import Sync


@dataclass
class Town:
    """A service, and two people with 50.00 each."""

    installation: Installation
    people: list[Person]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.installation.port}"


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    installation = Installation.empty()

    async def open_() -> list[Person]:
        await installation.start("serve").ready(installation.port)
        return await sign_up(installation.port, 2)

    try:
        yield Town(installation, run_apart(open_()))
        run_apart(installation.stop())
    finally:
        print(installation.tail())  # noqa: T201  shown when the test failed
        run_apart(installation.close())


def sign_in(one: Device, person: Person) -> None:
    one.expect("started")
    one.do("sign_in", phone=person.phone, password=f"long enough {person.username}")


def refused(one: Device, command: str, **arguments: object) -> str:
    one.say(command, **arguments)
    return str(one.expect("problem", lambda e: e.get("do") == command)["text"])


async def available(town: Town, person: Person) -> int:
    return int((await asked_for(town, person, f"/{person.wallet}/balance"))["available"])


async def offline(town: Town, person: Person) -> int:
    """What is set aside for passes, with what these received."""
    [wallet] = (await asked_for(town, person, ""))["items"]
    return int(wallet["offline"])


async def asked_for(town: Town, person: Person, what: str) -> Any:
    line = Line(town.installation.port)
    try:
        return (await line.call("GET", f"/v1/wallets{what}", token=person.token)).body
    finally:
        await line.close()


async def test_a_terminal_gets_a_pass(town: Town, tmp_path: Path) -> None:
    person = town.people[0]
    before = await available(town, person)
    with device(tmp_path, (), "--server", town.url) as one:
        sign_in(one, person)
        assert one.do("status")["phone"] == person.phone
        one.do("load", amount=1_500, currency="SGD")
        own = one.do("status")["pass"]
        assert (own["left_price"], own["currency"]) == ("SGD 15.00", "SGD")
        assert await available(town, person) == before - 1_500
        assert refused(one, "load", amount=100, currency="SGD")
        assert one.do("status")["pass"] == own
        assert (
            "another person" in refused(one, "sign_in", phone="+6591999999", password="x").lower()
        )
        assert one.leave() == 0
    with device(tmp_path) as one:  # it remembers its server, and who it is
        assert one.expect("started")["pass"] == own
        one.expect("synced")
        assert one.do("status")["server"] == town.url
        assert one.leave() == 0
    journal = Journal.open(tmp_path)
    key = Pass.parse(journal.read(Shelf.FACT, b"till") or b"").key.raw
    assert PrivateKey.from_bytes(journal.read(Shelf.KEY, key) or b"").public == key
    journal.close()


async def test_a_pass_that_only_receives(town: Town, tmp_path: Path) -> None:
    with device(tmp_path, (), "--server", town.url) as one:
        sign_in(one, town.people[1])
        one.do("load", amount=0, currency="SGD")
        assert one.do("status")["pass"]["left"] == 0


async def test_a_terminal_that_lost_its_pass_is_replaced_by_itself(
    town: Town, tmp_path: Path
) -> None:
    person = town.people[1]
    with device(tmp_path, (), "--server", town.url) as one:
        sign_in(one, person)
        one.do("load", amount=300, currency="SGD")
        assert one.leave() == 0
    (tmp_path / "journal.mark").unlink()
    with device(tmp_path, (), "--recover") as one:
        lost = one.expect("started")["pass"]
        assert lost["doubt"] == "lost"
        assert "report it as replaced" in refused(one, "load", amount=300, currency="SGD")
        one.do("replace")
        one.do("load", amount=200, currency="SGD")
        fresh = one.do("status")["pass"]
        assert (fresh["left"], fresh["doubt"]) == (200, "none")
        assert fresh["id"] != lost["id"]
        one.do("sync")
        assert one.leave() == 0
    assert {"replaced"} == {one["reason"] for one in await devices(town, person)} - {None}


class Lists(Server):
    """A service that has revoked more passes than one list holds."""

    def __init__(self, issuer: Issuer, count: int) -> None:
        self._issuer = issuer
        self._ids: list[bytes] = []
        self.revoke(count)

    def revoke(self, count: int) -> None:
        self._ids += sorted(os.urandom(16) for _ in range(count))

    async def keys(self) -> Keys:
        root, keys = self._issuer.root.public, self._issuer.known().keys
        return Keys(base64url.write(root), base64url.write(keys))

    async def revocations(self, since: int) -> Revoked:
        some = tuple(sorted(self._ids[since : since + REVOKED_MOST]))
        epoch = since + len(some)
        news = Revocations(epoch=epoch, since=since, time=self._issuer.now, passes=some)
        message = base64url.write(news.sealed_by(self._issuer.key))
        return Revoked(message, epoch, more=len(some) == REVOKED_MOST)


async def test_lists_are_read_to_their_end(tmp_path: Path) -> None:
    issuer = Issuer(int(time.time()))
    shop = Shop(tmp_path, SARI, time.time)
    sync = Sync(shop.journal, shop.machines, "http://127.0.0.1")
    known = await sync._learn(Lists(issuer, 2 * REVOKED_MOST + 1))
    assert len(known.revoked) == 2 * REVOKED_MOST + 1
    assert known.listed_at == issuer.now
    shop.journal.close()


@pytest.mark.parametrize("count", [0, REVOKED_MOST, 2 * REVOKED_MOST + 1])
async def test_however_often_it_syncs_it_keeps_few_lists(tmp_path: Path, count: int) -> None:
    issuer = Issuer(int(time.time()))
    shop = Shop(tmp_path, SARI, time.time)
    sync = Sync(shop.journal, shop.machines, "http://127.0.0.1")
    service = Lists(issuer, count)
    for _ in range(20):
        service.revoke(1)
        issuer.now += 60
        known = await sync._learn(service)
        assert len(known.lists) <= LISTS_MOST
        other = Known(known.root, known.keys)
        for message in known.lists:
            other = other.learn(Revocations.parse(message))
        assert (other.revoked, other.epoch) == (known.revoked, known.epoch)
    assert len(known.revoked) == count + 20
    shop.journal.close()


async def devices(town: Town, person: Person) -> list[dict[str, Any]]:
    line = Line(town.installation.port)
    try:
        answer = await line.call("GET", "/v1/offline/devices", token=person.token)
        return list(answer.body["items"])
    finally:
        await line.close()


async def test_refusals_are_the_services_words(town: Town, tmp_path: Path) -> None:
    with device(tmp_path, (), "--server", town.url) as one:
        one.expect("started")
        person = town.people[1]
        assert refused(one, "sign_in", phone=person.phone, password="wrong password")
        assert "Sign in first" in refused(one, "sync")
        one.do("sign_in", phone=person.phone, password=f"long enough {person.username}")
        assert refused(one, "load", amount=1_000_000, currency="SGD")
        assert refused(one, "load", amount=100, currency="XYZ")
        one.do("load", amount=100, currency="SGD")


async def test_no_service_there(town: Town, tmp_path: Path) -> None:
    with device(tmp_path, (), "--server", f"http://127.0.0.1:{free_port()}") as one:
        one.expect("started")
        person = town.people[0]
        assert "cannot be reached" in refused(one, "sign_in", phone=person.phone, password="x")
    with device(tmp_path / "other", (), "--server", "nonsense") as one:
        one.expect("started")
        assert "cannot be reached" in refused(one, "sign_in", phone=person.phone, password="x")


async def test_another_root_is_refused(town: Town, tmp_path: Path) -> None:
    with device(tmp_path, (), "--server", town.url) as one:
        sign_in(one, town.people[1])
        one.do("sync")
        assert one.leave() == 0
    journal = Journal.open(tmp_path)
    known = journal.read(Shelf.FACT, b"known") or b""
    assert known
    facts = msgspec.json.decode(known)
    facts["root"] = msgspec.json.decode(msgspec.json.encode(PrivateKey.generate().public))
    journal.write(Change(Shelf.FACT, b"known", msgspec.json.encode(facts)))
    journal.close()
    with device(tmp_path) as one:
        one.expect("started")
        assert "another root key" in refused(one, "sync")


async def loaded(town: Town, folder: Path, amount: int) -> tuple[list[Shop], list[Sync]]:
    """A terminal for each of the people, with so much set aside."""
    shops = [Shop(folder / one.username, one.phone, time.time) for one in town.people]
    syncs = [Sync(shop.journal, shop.machines, town.url) for shop in shops]
    for sync, person in zip(syncs, town.people, strict=True):
        await sync.sign_in(person.phone, f"long enough {person.username}")
        await sync.load(amount, "SGD", None)
    return shops, syncs


async def test_payments_settle_whoever_uploads(town: Town, tmp_path: Path) -> None:
    people = town.people
    shops, syncs = await loaded(town, tmp_path, 1_000)
    before = [await available(town, person) for person in people]
    await paid(shops[0], shops[1], 400)
    await paid(shops[1], shops[0], 100)
    assert await syncs[0].run() == []
    assert await syncs[1].run() == []
    assert await syncs[0].run() == []
    after = [await available(town, person) for person in people]
    assert [now - then for now, then in zip(after, before, strict=True)] == [400, 100]
    assert {deal.state for deal in shops[0].machines.deals()} == {"credited", "settled"}
    assert {deal.state for deal in shops[1].machines.deals()} == {"credited", "settled"}
    assert not shops[0].machines.outbox.items
    for shop in shops:
        shop.journal.close()


@pytest.fixture
async def hops(town: Town) -> AsyncIterator[None]:
    """What terminals take in S$ may be passed on."""
    limits = ("admin", "offline", "limits")
    change = ("--payment", "3000", "--pass", "5000", "--hops", "3")
    assert (await town.installation.command(*limits, "set", "SGD", "2", *change))[0] == 0
    yield
    assert (await town.installation.command(*limits, "reset", "SGD", "2"))[0] == 0


@pytest.mark.usefixtures("hops")
async def test_what_was_passed_on_settles_whoever_uploads(town: Town, tmp_path: Path) -> None:
    """To and fro, each time with what came before."""
    people = town.people
    shops, syncs = await loaded(town, tmp_path, 500)
    before = [await offline(town, person) for person in people]
    await paid(shops[0], shops[1], 400)
    await paid(shops[1], shops[0], 700)
    await paid(shops[0], shops[1], 750)
    assert [shop.left for shop in shops] == [950, 50]
    assert await syncs[1].run() == []
    after = [await offline(town, person) for person in people]
    assert [now - then for now, then in zip(after, before, strict=True)] == [450, -450]
    assert await syncs[0].run() == []
    for shop in shops:
        assert {deal.state for deal in shop.machines.deals()} == {"credited", "settled"}
        shop.journal.close()


async def test_a_close_is_uploaded_until_the_service_has_it(town: Town, tmp_path: Path) -> None:
    person = town.people[1]
    shop = Shop(tmp_path, person.phone, time.time)
    sync = Sync(shop.journal, shop.machines, town.url)
    await sync.sign_in(person.phone, f"long enough {person.username}")
    await sync.load(100, "SGD", None)
    await shop.machines.end_pass()
    for _ in range(2):
        await shop.restart()
        assert [bool(one.close) for one in shop.machines.outbox.items.values()] == [True]
    sync = Sync(shop.journal, shop.machines, town.url)
    assert await sync.run() == []
    await shop.restart()
    await shop.machines.synced(int(time.time()))
    assert not shop.machines.outbox.items
    shop.journal.close()
