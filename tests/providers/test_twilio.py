"""Twilio: requests as documented, and what each of its answers means."""

import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.providers.twilio import SENDER, Twilio, running_twilio

from tikiwallet.notify.gateway import SmsNotTaken, SmsRefused, SmsUnsure
from tikiwallet.providers.twilio import TwilioGateway

ANA, TEXT = "+6591234567", "012345 is your TikiWallet code. Caf\u00e9 & co; 100%+"
SERVICE = "MG" + "0123456789abcdef" * 2


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    with running_twilio() as peer:
        yield peer


@pytest.fixture
async def gateway(twilio: Twilio) -> AsyncIterator[TwilioGateway]:
    opened = TwilioGateway(twilio.account(), answer_seconds=1)
    yield opened
    await opened.close()


async def test_a_message_as_documented(gateway: TwilioGateway, twilio: Twilio) -> None:
    sid = await gateway.send(ANA, TEXT, 300)
    [message] = twilio.seen()["messages"]
    assert message["sid"] == sid
    assert (message["to"], message["from"], message["body"]) == (ANA, SENDER, TEXT)
    assert message["messaging_service_sid"] is None
    assert message["validity"] == "300"


@pytest.mark.parametrize(("asked", "sent"), [(1, "5"), (299, "299"), (86_400, "36000")])
async def test_validity_in_bounds(
    gateway: TwilioGateway, twilio: Twilio, asked: int, sent: str
) -> None:
    await gateway.send(ANA, TEXT, asked)
    assert twilio.seen()["messages"][0]["validity"] == sent


@pytest.mark.parametrize("sender", [SERVICE, "TikiWallet", "72345"])
async def test_senders(twilio: Twilio, sender: str) -> None:
    gateway = TwilioGateway(twilio.account(sender=sender))
    await gateway.send(ANA, TEXT, 300)
    await gateway.close()
    [message] = twilio.seen()["messages"]
    assert sender in (message["from"], message["messaging_service_sid"])


@pytest.mark.parametrize(
    ("script", "problem", "says"),
    [
        ({"error": 21211}, SmsRefused, "400, 21211"),
        ({"error": 21660}, SmsRefused, "400, 21660"),
        ({"error": 20003}, SmsRefused, "401, 20003"),
        ({"error": 20404}, SmsRefused, "404, 20404"),
        ({"error": 20429}, SmsNotTaken, "429, 20429"),
        ({"error": 20500}, SmsUnsure, "500, 20500"),
        ({"after": 20500}, SmsUnsure, "500, 20500"),
        ({"hang": 30}, SmsUnsure, "ReadTimeout"),
        ({"cut": True}, SmsUnsure, "RemoteProtocolError"),
        ({"odd": "<html>"}, SmsUnsure, "names no message"),
        ({"odd": "[1]"}, SmsUnsure, "names no message"),
        ({"odd": '{"sid": 7}'}, SmsUnsure, "names no message"),
    ],
)
async def test_what_answers_mean(
    gateway: TwilioGateway,
    twilio: Twilio,
    script: dict[str, object],
    problem: type[Exception],
    says: str,
) -> None:
    twilio.will(script)
    with pytest.raises(problem, match=says) as told:
        await gateway.send(ANA, TEXT, 300)
    # No text, number or secret stands in what goes to the log.
    for secret in (ANA, "012345", twilio.account().token):
        assert secret not in str(told.value)
    assert twilio.seen()["calls"] == 1


@pytest.mark.parametrize(
    ("code", "number"),
    [(21211, True), (21610, True), (21614, True), (21660, False), (20003, False)],
)
async def test_whose_fault_it_is(
    gateway: TwilioGateway, twilio: Twilio, code: int, number: bool
) -> None:
    twilio.will({"error": code})
    with pytest.raises(SmsRefused) as told:
        await gateway.send(ANA, TEXT, 300)
    assert told.value.number_at_fault is number


async def test_a_429_may_name_a_time(gateway: TwilioGateway, twilio: Twilio) -> None:
    twilio.will({"error": 20429, "retry_after": 7}, {"error": 20429})
    for seconds in (7.0, None):
        with pytest.raises(SmsNotTaken) as told:
            await gateway.send(ANA, TEXT, 300)
        assert told.value.retry_after == seconds


async def test_nobody_there(twilio: Twilio) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        gateway = TwilioGateway(twilio.account(url=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(SmsNotTaken, match="ConnectError"):
            await gateway.send(ANA, TEXT, 300)
        with pytest.raises(SmsNotTaken, match="ConnectError"):
            await gateway.find(ANA, TEXT, ago(60))
        await gateway.close()


async def test_wrong_credentials(twilio: Twilio) -> None:
    gateway = TwilioGateway(twilio.account(token="0" * 32))
    with pytest.raises(SmsRefused, match="401"):
        await gateway.send(ANA, TEXT, 300)
    with pytest.raises(SmsNotTaken, match="401"):
        await gateway.find(ANA, TEXT, ago(60))
    await gateway.close()
    assert "0000" not in repr(twilio.account(token="0" * 32))


async def test_what_was_taken_is_found(gateway: TwilioGateway, twilio: Twilio) -> None:
    assert await gateway.find(ANA, TEXT, ago(60)) is None
    twilio.will({"hang": 30}, {"prefix": "Sent from your Twilio trial account - "})
    with pytest.raises(SmsUnsure):
        await gateway.send(ANA, TEXT, 300)
    sid = twilio.seen()["messages"][0]["sid"]
    assert await gateway.find(ANA, TEXT, ago(60)) == sid
    assert await gateway.find(ANA, "another text", ago(60)) is None
    assert await gateway.find("+6591234568", TEXT, ago(60)) is None
    assert await gateway.find(ANA, TEXT, ago(-60)) is None
    trial = await gateway.send(ANA, "another text", 300)
    assert await gateway.find(ANA, "another text", ago(60)) == trial


async def test_an_older_one_with_the_same_words_is_not_it(
    gateway: TwilioGateway, twilio: Twilio
) -> None:
    twilio.will({"age": 3_600})
    await gateway.send(ANA, TEXT, 300)
    assert await gateway.find(ANA, TEXT, ago(60)) is None
    assert await gateway.find(ANA, TEXT, ago(7_200)) is not None
