"""The outbox over a real database and a provider that answers, hangs, loses and comes back."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.faults.installation import until
from tests.identity.hand_clock import HandClock
from tests.providers.twilio import Twilio, running_twilio
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity.codes import CodeNotSent, Delivery, PhoneUnreachable, Purpose
from tikiwallet.identity.sealing import Sealing
from tikiwallet.notify.outbox import AT_ONCE, ATTEMPT_SECONDS, UNSURE_SECONDS, Outbox
from tikiwallet.providers.twilio import TwilioGateway

ANA = "+6591234567"
SENT, ON_ITS_WAY = Delivery.SENT, Delivery.ON_ITS_WAY


@pytest.fixture
def peer() -> Iterator[Twilio]:
    with running_twilio() as twilio:
        yield twilio


@dataclass
class Post:
    """An API process's outbox and a worker's, over one database and one provider."""

    api: Outbox
    worker: Outbox
    twilio: Twilio
    database: Database
    clock: HandClock

    async def send(self) -> tuple[str, Delivery]:
        """A fresh code, and how far its message came."""
        code = f"{secrets.randbelow(1_000_000):06d}"
        return code, await self.api.send_code(ANA, code, Purpose.REGISTER, language="ar")

    def received(self, code: str) -> int:
        """How often a message with this code reached the provider."""
        return sum(code in one["body"] for one in self.twilio.seen()["messages"])

    async def row(self) -> Any:
        rows = await self.database.fetch("SELECT * FROM notify.outbox")
        assert len(rows) == 1
        return rows[0]

    async def settled(self) -> None:
        """Wait until what the API process began has ended."""
        while self.api._under_way:
            await asyncio.wait(self.api._under_way)


@pytest.fixture
async def post(database_urls: DatabaseUrls, peer: Twilio, tmp_path: Path) -> AsyncIterator[Post]:
    database = await Database.connect(database_urls.app, APP)
    clock = HandClock()
    gateway = TwilioGateway(peer.account(), answer_seconds=0.5)
    api, worker = (
        Outbox(database, Sealing(tmp_path / "keys"), gateway, clock, quick_seconds=quick)
        for quick in (5.0, 5.0)
    )
    yield Post(api, worker, peer, database, clock)
    peer.be_down(False)
    await api.stop()
    await worker.stop()
    await gateway.close()
    await database.close()


async def test_a_code_goes_out_at_once_and_nothing_of_it_stays(post: Post) -> None:
    code, delivery = await post.send()
    assert delivery is SENT
    assert post.received(code) == 1
    row = await post.row()
    assert (row["state"], row["sealed"], row["failure"]) == ("sent", None, None)
    assert row["provider_id"].startswith("SM")
    assert await post.worker.deliver_due() is False
    post.clock.advance(3_600)
    await post.worker.deliver_due()
    assert post.received(code) == 1


async def test_words_and_numbers_are_sealed_while_they_wait(post: Post) -> None:
    post.twilio.be_down()
    code, _ = await post.send()
    await post.settled()
    shown = str(await post.database.fetchval("SELECT o::text FROM notify.outbox o"))
    for secret in (code, ANA[1:]):
        assert secret not in shown
        assert secret.encode().hex() not in shown


async def test_a_provider_that_is_busy_gets_it_later_once(post: Post) -> None:
    post.twilio.will({"error": 20429, "retry_after": 7}, {"error": 20429})
    code, delivery = await post.send()
    assert delivery is ON_ITS_WAY
    post.clock.advance(6)
    await post.worker.deliver_due()
    assert (await post.row())["attempts"] == 1
    post.clock.advance(1)
    await post.worker.deliver_due()
    assert (await post.row())["attempts"] == 2
    post.clock.advance(2)
    await post.worker.deliver_due()
    assert (await post.row())["state"] == "sent"
    assert post.received(code) == 1
    assert post.twilio.seen()["lookups"] == 0  # it said that it had not taken it


async def test_nobody_there_until_it_has_lost_its_meaning(
    post: Post, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    nobody = TwilioGateway(post.twilio.account(url="http://127.0.0.1:9"))
    outbox = Outbox(post.database, Sealing(tmp_path / "keys"), nobody, post.clock)
    assert await outbox.send_code(ANA, "123456", Purpose.REGISTER, language="en") is ON_ITS_WAY
    for _ in range(40):
        post.clock.advance(8)
        await outbox.deliver_due()
    row = await post.row()
    assert (row["state"], row["sealed"], row["next_at"]) == ("expired", None, None)
    assert "not reached" in row["failure"]
    assert 5 <= row["attempts"] <= 20
    await nobody.close()


@pytest.mark.parametrize("script", [{"hang": 20}, {"cut": True}, {"after": 20500}])
async def test_taken_without_an_answer_is_not_sent_again(
    post: Post, script: dict[str, object]
) -> None:
    post.twilio.will(script)
    code, delivery = await post.send()
    assert delivery is ON_ITS_WAY
    await post.settled()
    row = await post.row()
    assert (row["state"], row["unsure"]) == ("waiting", True)
    post.clock.advance(UNSURE_SECONDS - 1)
    await post.worker.deliver_due()
    assert (await post.row())["attempts"] == 1  # the provider may still be at it
    post.clock.advance(1)
    await post.worker.deliver_due()
    assert (await post.row())["state"] == "sent"
    assert post.received(code) == 1
    post.twilio.release()


@pytest.mark.parametrize(
    "script", [{"hang": 20, "lost": True}, {"cut": True, "lost": True}, {"error": 20500}]
)
async def test_lost_without_an_answer_is_sent_again(post: Post, script: dict[str, object]) -> None:
    post.twilio.will(script)
    code, _ = await post.send()
    await post.settled()
    assert post.received(code) == 0
    post.clock.advance(UNSURE_SECONDS)
    await post.worker.deliver_due()
    assert (await post.row())["state"] == "sent"
    assert post.received(code) == 1
    post.twilio.release()


async def test_a_provider_that_is_unsure_and_then_away_is_asked_first(post: Post) -> None:
    post.twilio.will({"cut": True})
    code, _ = await post.send()
    await post.settled()
    post.twilio.be_down()
    post.clock.advance(UNSURE_SECONDS)
    await post.worker.deliver_due()
    row = await post.row()
    assert (row["state"], row["unsure"]) == ("waiting", True)
    post.twilio.be_down(False)
    post.clock.advance(UNSURE_SECONDS)
    await post.worker.deliver_due()
    assert (await post.row())["state"] == "sent"
    assert post.received(code) == 1


async def test_nobody_waits_for_a_slow_provider(post: Post) -> None:
    post.api._quick_seconds = 0.05
    post.twilio.will({"hang": 20})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    code, delivery = await post.send()
    assert delivery is ON_ITS_WAY
    assert loop.time() - begun < 0.4  # the gateway itself gives up after 0.5
    await post.settled()
    post.twilio.release()
    assert post.received(code) == 1


@pytest.mark.parametrize("lost", [True, False])
async def test_a_process_that_dies_while_sending_leaves_it_to_the_worker(
    post: Post, lost: bool
) -> None:
    post.twilio.will({"hang": 20, "lost": lost})
    post.api._quick_seconds = 0.0
    code, _ = await post.send()
    await until(lambda: post.twilio.seen()["calls"] == 1, 10, "the provider was called")
    for attempt in tuple(post.api._under_way):
        attempt.cancel()
    await post.settled()
    assert (await post.row())["state"] == "sending"
    await post.worker.deliver_due()
    assert (await post.row())["attempts"] == 1
    post.clock.advance(ATTEMPT_SECONDS + UNSURE_SECONDS)
    await post.worker.deliver_due()
    assert (await post.row())["state"] == "sent"
    assert post.received(code) == 1
    post.twilio.release()


@pytest.mark.parametrize(
    ("error", "problem"), [(21211, PhoneUnreachable), (21660, CodeNotSent), (20003, CodeNotSent)]
)
async def test_a_refusal_is_told_and_final(
    post: Post, error: int, problem: type[Exception]
) -> None:
    post.twilio.will({"error": error})
    with pytest.raises(problem):
        await post.send()
    row = await post.row()
    assert (row["state"], row["sealed"]) == ("refused", None)
    assert str(error) in row["failure"]
    post.clock.advance(60)
    await post.worker.deliver_due()
    assert (await post.row())["attempts"] == 1


async def test_two_workers_share_what_is_due(post: Post) -> None:
    post.twilio.be_down()
    codes = [(await post.send())[0] for _ in range(5)]
    await post.settled()
    post.twilio.be_down(False)
    post.clock.advance(UNSURE_SECONDS)
    await asyncio.gather(*(one.deliver_due() for one in (post.worker, post.api, post.worker)))
    assert [post.received(code) for code in codes] == [1] * 5


async def test_a_notice_goes_out_with_its_transaction_or_not_at_all(post: Post) -> None:
    async def tell(purpose: Purpose, *, broken: bool) -> None:
        async with post.database.transaction() as connection:
            await post.api.queue_notice(connection, ANA, purpose, language="zh")
            if broken:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        await tell(Purpose.CLOSED, broken=True)
    await tell(Purpose.PIN_RESET, broken=False)
    assert post.twilio.seen()["messages"] == []
    # A provider that is away for hours still gets it, as a code would not be any more.
    post.twilio.be_down()
    await post.worker.deliver_due()
    post.twilio.be_down(False)
    post.clock.advance(3 * 3_600)
    await post.worker.deliver_due()
    [message] = post.twilio.seen()["messages"]
    assert "支付密码" in message["body"]


async def test_more_at_once_than_there_is_room_for(post: Post) -> None:
    number = AT_ONCE + 8
    told = await asyncio.gather(*(post.send() for _ in range(number)))
    assert sum(delivery is SENT for _, delivery in told) >= AT_ONCE
    while await post.worker.deliver_due():
        pass
    assert [post.received(code) for code, _ in told] == [1] * number


async def test_one_that_does_not_open_holds_up_nobody(post: Post, tmp_path: Path) -> None:
    post.twilio.be_down()
    broken, _ = await post.send()
    whole, _ = await post.send()
    await post.settled()
    await post.database.execute(
        "UPDATE notify.outbox SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)"
        " WHERE id = (SELECT min(id::text)::uuid FROM notify.outbox)"
    )
    post.twilio.be_down(False)
    post.clock.advance(UNSURE_SECONDS)
    await post.worker.deliver_due()
    states = await post.database.fetch("SELECT state FROM notify.outbox ORDER BY id")
    assert [row["state"] for row in states] == ["refused", "sent"]
    assert (post.received(broken), post.received(whole)) == (0, 1)


async def test_what_is_final_stays_and_goes_after_a_week(post: Post) -> None:
    await post.send()
    with pytest.raises(Exception, match="is sent"):
        await post.database.execute("UPDATE notify.outbox SET attempts = 9")
    post.clock.advance(8 * 86_400)
    await post.worker.tidy()
    assert await post.database.fetchval("SELECT count(*) FROM notify.outbox") == 0
