"""A service whose codes go out by Twilio: which is there, away, and back."""

import re
import time
from collections.abc import Iterator

import pytest
from tests.faults.installation import Installation, until
from tests.faults.wire import Answer, Line
from tests.identity.sign_up import PASSWORD
from tests.providers.twilio import SENDER, running_twilio
from tests.providers.twilio_peer import SID, TOKEN
from tests.servers import free_port, run_apart


@pytest.fixture
def installation() -> Iterator[Installation]:
    installation = Installation.empty(
        TIKIWALLET_RATE_LIMITS="on",
        TIKIWALLET_TWILIO_ACCOUNT_SID=SID,
        TIKIWALLET_TWILIO_AUTH_TOKEN=TOKEN,
        TIKIWALLET_TWILIO_FROM=SENDER,
        TIKIWALLET_TWILIO_URL=f"http://127.0.0.1:{free_port()}",
    )
    try:
        yield installation
        run_apart(installation.stop())
    finally:
        print(installation.tail())  # noqa: T201
        run_apart(installation.close())


def code_of(message: dict[str, str]) -> str:
    found = re.search(r"\b\d{6}\b", message["body"])
    assert found is not None
    return found[0]


async def test_codes_by_twilio(installation: Installation) -> None:
    await installation.start("serve").ready(installation.port)

    async def call(method: str, path: str, body: object = None) -> Answer:
        line = Line(installation.port)
        try:
            return await line.call(method, path, body)
        finally:
            await line.close()

    async def register(phone: str, username: str) -> Answer:
        body = {"phone": phone, "username": username, "password": PASSWORD}
        return await call("POST", "/v1/auth/register", body)

    async def verify(begun: Answer, message: dict[str, str]) -> int:
        body = {"registration_id": begun.body["registration_id"], "code": code_of(message)}
        return (await call("POST", "/v1/auth/verify", body)).status

    asked = time.monotonic()
    waiting = await register("+6598765432", "ravi")
    assert time.monotonic() - asked < 5
    assert (waiting.status, waiting.body["delivery"]) == (202, "on_its_way")
    assert (await call("GET", "/dev/inbox?phone=%2B6598765432")).status == 404

    port = int(installation.environment["TIKIWALLET_TWILIO_URL"].rpartition(":")[2])
    with running_twilio(port) as twilio:
        await until(lambda: bool(twilio.seen()["messages"]), 60, "the code was sent")
        [message] = twilio.seen()["messages"]
        assert message["to"] == "+6598765432"
        assert await verify(waiting, message) == 201

        begun = await register("+6591234567", "mei.lin")
        assert (begun.status, begun.body.keys()) == (202, {"registration_id"})
        message = twilio.seen()["messages"][0]
        assert await verify(begun, message) == 201

        twilio.will({"error": 21614})
        refused = await register("+6591234568", "landline")
        assert (refused.status, refused.body["code"]) == (422, "phone_unreachable")
        assert len(twilio.seen()["messages"]) == 2
    for secret in (TOKEN, code_of(message)):
        assert secret not in installation.log.read_text()
