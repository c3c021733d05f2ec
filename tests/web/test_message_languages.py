"""In which language text messages come: the person's, else that of the phone that signs up."""

import pytest
from tests.identity.sign_up import PASSWORD, code_for
from tests.web.conftest import Caller, Web

from tikiwallet.identity.codes import Purpose
from tikiwallet.notify.templates import TEXTS

MEI, RAVI = ("+6591234567", "mei.lin"), ("+6598765432", "ravi")
NEW = "nine pears at noon"
PIN = "482916"


async def spoken(web: Web, phone: str) -> tuple[str, Purpose]:
    """The language of the newest message to `phone`, and what it is about."""
    assert web.parts.inbox is not None
    newest = (await web.parts.inbox.messages(phone))[0]
    text = newest["text"].replace(newest["code"] or "{code}", "{code}")
    for language, texts in TEXTS.items():
        for purpose, words in texts.items():
            if text.startswith(words.partition("{link}")[0]):
                return language, purpose
    raise AssertionError(text)


async def sign_up(web: Web, phone: str, username: str, accept_language: str) -> Caller:
    web.http.headers["accept-language"] = accept_language
    try:
        return await web.sign_up(phone, username)
    finally:
        del web.http.headers["accept-language"]


async def register(web: Web, phone: str, accept_language: str) -> tuple[int, set[str]]:
    answer = await web.http.post(
        "/v1/auth/register",
        json={"phone": phone, "username": f"new{phone[1:]}", "password": PASSWORD},
        headers={"accept-language": accept_language},
    )
    return answer.status_code, set(answer.json())


async def recover(web: Web, phone: str, accept_language: str) -> tuple[int, str]:
    answer = await web.http.post(
        "/v1/auth/recovery", json={"phone": phone}, headers={"accept-language": accept_language}
    )
    return answer.status_code, answer.json()["recovery_id"]


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("hi", "hi"),
        ("hi-IN,hi;q=0.9,en-GB;q=0.8", "hi"),
        ("fr;q=0.9, zh-CN;q=0.5, en;q=0.3", "zh"),
        ("id-ID", "id"),
        ("ar", "ar"),
        ("en-SG", "en"),
        ("tlh", "en"),
        ("\xff;q=é", "en"),
    ],
)
async def test_who_signs_up_is_written_to_in_the_phones_language(
    web: Web, accept_language: str, language: str
) -> None:
    headers = {b"accept-language": accept_language.encode("latin-1")}
    body = {"phone": MEI[0], "username": MEI[1], "password": PASSWORD}
    begun = await web.http.post("/v1/auth/register", json=body, headers=headers)
    assert begun.status_code == 202
    assert await spoken(web, MEI[0]) == (language, Purpose.REGISTER)
    again = await web.http.post("/v1/auth/register/resend", json=begun.json(), headers=headers)
    assert again.status_code == 202
    assert web.parts.inbox is not None
    assert len(await web.parts.inbox.messages(MEI[0])) == 2
    assert await spoken(web, MEI[0]) == (language, Purpose.REGISTER)


async def test_the_language_of_the_phone_is_ones_own_from_then_on(web: Web) -> None:
    mei = await sign_up(web, *MEI, "hi-IN")
    assert (await mei.call("GET", "/v1/me")).json()["language"] == "hi"
    assert (await mei.call("GET", "/v1/me/export")).json()["person"]["language"] == "hi"
    await mei.call("PUT", "/v1/me/password", {"current_password": PASSWORD, "password": NEW})
    assert await spoken(web, MEI[0]) == ("hi", Purpose.PASSWORD_CHANGED)


async def test_several_headers_count_as_one(web: Web) -> None:
    headers = [("accept-language", "fr, en;q=0.1"), ("accept-language", "zh;q=0.2")]
    body = {"phone": MEI[0], "username": MEI[1], "password": PASSWORD}
    await web.http.post("/v1/auth/register", json=body, headers=headers)
    assert (await spoken(web, MEI[0]))[0] == "zh"


async def test_security_is_told_in_the_language_that_was_chosen(web: Web) -> None:
    """Whatever the request asks for that it is about."""
    mei = await sign_up(web, *MEI, "hi")
    chosen = await mei.call("PATCH", "/v1/me", {"language": "ar"})
    assert chosen.json()["language"] == "ar"

    async def call(method: str, path: str, body: object = None) -> None:
        answer = await mei.call(method, path, body, accept_language="zh")
        assert answer.is_success, answer.text

    await call("PUT", "/v1/me/password", {"current_password": PASSWORD, "password": NEW})
    assert await spoken(web, MEI[0]) == ("ar", Purpose.PASSWORD_CHANGED)
    await call("PUT", "/v1/me/pin", {"pin": PIN})
    await call("DELETE", "/v1/me/pin")
    assert await spoken(web, MEI[0]) == ("ar", Purpose.PIN_RESET)
    await call("PUT", "/v1/me/sms-factor", {"enabled": True})
    await call("POST", "/v1/auth/reauthenticate/sms", {})
    assert await spoken(web, MEI[0]) == ("ar", Purpose.STEP_UP)
    login = {"phone": MEI[0], "password": NEW}
    challenge = (await web.http.post("/v1/auth/login", json=login)).json()["challenge_id"]
    await web.http.post(
        "/v1/auth/second-factor/sms",
        json={"challenge_id": challenge},
        headers={"accept-language": "zh"},
    )
    assert await spoken(web, MEI[0]) == ("ar", Purpose.SECOND_FACTOR)
    await call("POST", "/v1/me/phone", {"phone": RAVI[0]})
    assert await spoken(web, MEI[0]) == ("ar", Purpose.LEAVE_PHONE)
    assert await spoken(web, RAVI[0]) == ("ar", Purpose.CHANGE_PHONE)


async def test_who_tries_to_take_a_wallet_does_not_choose_the_warnings_words(web: Web) -> None:
    assert web.parts.inbox is not None
    await sign_up(web, *MEI, "ar")
    _, id = await recover(web, MEI[0], "zh")
    assert await spoken(web, MEI[0]) == ("ar", Purpose.RECOVER)
    await web.http.post(
        "/v1/auth/recovery/verify",
        json={"recovery_id": id, "code": await code_for(web.parts.inbox, MEI[0])},
        headers={"accept-language": "zh"},
    )
    assert await spoken(web, MEI[0]) == ("ar", Purpose.RECOVERY_BEGUN)
    # Of whom no language is known, as of people of before: no stranger's either.
    await web.sign_up(*RAVI)
    await recover(web, RAVI[0], "zh")
    assert await spoken(web, RAVI[0]) == ("en", Purpose.RECOVER)


async def test_known_and_unknown_phones_look_alike_in_every_language(web: Web) -> None:
    await sign_up(web, *MEI, "ar")
    assert await register(web, MEI[0], "hi") == await register(web, RAVI[0], "hi")
    assert await spoken(web, MEI[0]) == ("ar", Purpose.ALREADY_REGISTERED)
    assert await spoken(web, RAVI[0]) == ("hi", Purpose.REGISTER)
    known, unknown = await recover(web, MEI[0], "id"), await recover(web, RAVI[0], "id")
    assert (known[0], len(known[1])) == (unknown[0], len(unknown[1])) == (202, 36)
    assert await spoken(web, RAVI[0]) == ("id", Purpose.RECOVER_UNKNOWN)


async def test_a_number_with_a_wallet_is_told_in_its_owners_language(web: Web) -> None:
    mei = await sign_up(web, *MEI, "zh")
    await sign_up(web, *RAVI, "hi")
    assert (await mei.call("POST", "/v1/me/phone", {"phone": RAVI[0]})).status_code == 202
    assert await spoken(web, RAVI[0]) == ("hi", Purpose.CHANGE_PHONE_TAKEN)
    assert await spoken(web, MEI[0]) == ("zh", Purpose.LEAVE_PHONE)
