"""The sandbox's inbox: words, order, and how much it keeps."""

from collections.abc import AsyncIterator

import pytest
from tests.servers import DatabaseUrls

from tikiwallet.database.cluster import APP
from tikiwallet.database.pool import Database
from tikiwallet.identity.codes import CodeSender, Purpose
from tikiwallet.notify.inbox import KEPT_PER_PHONE, SandboxInbox
from tikiwallet.notify.templates import code_text

ANA, BEN = "+6591234567", "+6591234568"


@pytest.fixture
async def inbox(database_urls: DatabaseUrls) -> AsyncIterator[SandboxInbox]:
    database = await Database.connect(database_urls.app, APP)
    yield SandboxInbox(database, now=lambda: 1_700_000_000_123_456)
    await database.close()


async def test_a_message(inbox: SandboxInbox) -> None:
    sender: CodeSender = inbox
    await sender.send_code(ANA, "012345", Purpose.REGISTER, language="hi")
    await sender.send_code(BEN, None, Purpose.ALREADY_REGISTERED, language="en")
    assert await inbox.messages(ANA) == [
        {
            "to": ANA,
            "text": code_text(Purpose.REGISTER, "012345", "hi"),
            "code": "012345",
            "sent_at": "2023-11-14T22:13:20.123456Z",
        }
    ]
    assert [message["code"] for message in await inbox.messages(BEN)] == [None]
    assert await inbox.messages("+6500000000") == []


@pytest.mark.parametrize("asked", ["+6591234567", " 6591234567", "6591234567"])
async def test_a_plus_lost_in_a_query_string(inbox: SandboxInbox, asked: str) -> None:
    await inbox.send_code(ANA, "012345", Purpose.REGISTER, language="en")
    assert len(await inbox.messages(asked)) == 1


async def test_newest_first_and_only_the_newest_are_kept(inbox: SandboxInbox) -> None:
    await inbox.send_code(BEN, "000000", Purpose.REGISTER, language="en")
    for number in range(KEPT_PER_PHONE + 5):
        await inbox.send_code(ANA, f"{number:06d}", Purpose.REGISTER, language="en")
    codes = [message["code"] for message in await inbox.messages(ANA, limit=1000)]
    assert codes == [f"{number:06d}" for number in range(KEPT_PER_PHONE + 4, 4, -1)]
    assert [message["code"] for message in await inbox.messages(ANA, limit=2)] == codes[:2]
    assert await inbox.messages(ANA, limit=-1) == []
    assert len(await inbox.messages(BEN)) == 1
