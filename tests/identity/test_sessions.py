"""Sessions: signing in, rotation and reuse, signing out, service tokens, names."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, session_of

from tikiwallet import ids
from tikiwallet.database.pool import Database
from tikiwallet.errors import NotFound
from tikiwallet.identity.familiar import FamiliarPlaces
from tikiwallet.identity.hashing import Cost
from tikiwallet.identity.keys import ServerSecret, load_server_secret
from tikiwallet.identity.limits import LOGINS_PER_PHONE, NAMES_PER_PERSON, TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passwords import Passwords
from tikiwallet.identity.service_tokens import ServiceTokenRefused
from tikiwallet.identity.sessions import (
    LOST_ANSWER,
    Challenge,
    Factor,
    InvalidCredentials,
    RefreshInvalid,
    RefreshReused,
    SecondFactorRequired,
    Sessions,
    Tokens,
)
from tikiwallet.identity.tokens import TokenExpired, TokenRevoked

NOBODY = "+6591234568"


async def test_login(identity: Identity, tokens: Tokens) -> None:
    again = await identity.sessions.login("+65 9123 4567", PASSWORD, "192.0.2.1")
    assert again.person_id == tokens.person_id
    assert session_of(identity, again) != session_of(identity, tokens)


async def test_unknown_phone_and_wrong_password_are_alike(
    identity: Identity, tokens: Tokens
) -> None:
    told = []
    for phone in (ANA, NOBODY):
        before = identity.hashing.count
        with pytest.raises(InvalidCredentials) as problem:
            await identity.sessions.login(phone, "wrong password", "192.0.2.1")
        told.append((str(problem.value), problem.value.extra, identity.hashing.count - before))
    assert told[0] == told[1]
    assert told[0][2] == 1


async def test_logins_are_limited_alike(
    identity: Identity, tokens: Tokens, hand_clock: HandClock
) -> None:
    for phone in (ANA, NOBODY):
        for _ in range(LOGINS_PER_PHONE.most):
            with pytest.raises(InvalidCredentials):
                await identity.sessions.login(phone, "wrong password")
        with pytest.raises(TooManyRequests) as problem:
            await identity.sessions.login(phone, PASSWORD)
        assert problem.value.extra == {"retry_after": 900}
    hand_clock.advance(900)
    for _ in range(3 * LOGINS_PER_PHONE.most):
        await identity.sessions.login(ANA, PASSWORD)


async def test_an_older_hash_is_renewed_at_login(
    identity: Identity, tokens: Tokens, database: Database
) -> None:
    cheap = Passwords(identity.hashing, Cost(passes=1, memory_kib=64))
    old = await cheap.hash(PASSWORD)
    await database.execute("UPDATE identity.person SET password_hash = $1", old)
    await identity.sessions.login(ANA, PASSWORD)
    new = await database.fetchval("SELECT password_hash FROM identity.person")
    assert not identity.passwords.is_outdated(new)
    await identity.sessions.login(ANA, PASSWORD)
    assert await database.fetchval("SELECT password_hash FROM identity.person") == new


async def test_a_second_factor_is_asked_for_after_the_password(
    identity: Identity, tokens: Tokens, database: Database, tmp_path: Path
) -> None:
    class Everybody:
        async def challenge(self, person: int) -> Challenge | None:
            return Challenge(f"challenge of {person}", (Factor.TOTP, Factor.SMS), 300)

    sessions = Sessions(
        database,
        events=identity.events,
        issuer=identity.issuer,
        secret=load_server_secret(tmp_path / "keys"),
        revoked=identity.revocations,
        passwords=identity.passwords,
        personal=identity.personal,
        limits=identity.limits,
        familiar=FamiliarPlaces(
            database, ServerSecret(b"s" * 32), identity.personal, identity.known_browsers
        ),
        second_factors=Everybody(),
    )
    with pytest.raises(InvalidCredentials):
        await sessions.login(ANA, "wrong password")
    with pytest.raises(SecondFactorRequired) as problem:
        await sessions.login(ANA, PASSWORD)
    person = ids.read_id("p", tokens.person_id)
    assert problem.value.extra == {
        "challenge_id": f"challenge of {person}",
        "methods": ["totp", "sms"],
        "expires_in": 300,
    }


async def test_refresh_rotates(identity: Identity, tokens: Tokens, hand_clock: HandClock) -> None:
    hand_clock.advance(21_601)
    with pytest.raises(TokenExpired):
        identity.verifier.verify(f"Bearer {tokens.access_token}")
    for _ in range(3):
        before, tokens = tokens, await identity.sessions.refresh(tokens.refresh_token)
        assert tokens.refresh_token != before.refresh_token
        assert tokens.person_id == before.person_id


async def test_reuse_ends_the_family(identity: Identity, tokens: Tokens) -> None:
    other = await identity.sessions.login(ANA, PASSWORD)
    second = await identity.sessions.refresh(tokens.refresh_token)
    third = await identity.sessions.refresh(second.refresh_token)
    with pytest.raises(RefreshReused):
        await identity.sessions.refresh(tokens.refresh_token)
    for ended in (tokens, second, third):
        with pytest.raises(RefreshInvalid):
            await identity.sessions.refresh(ended.refresh_token)
        with pytest.raises(TokenRevoked):
            identity.verifier.verify(f"Bearer {ended.access_token}")
    identity.verifier.verify(f"Bearer {other.access_token}")
    await identity.sessions.refresh(other.refresh_token)


async def test_a_token_used_twice_at_once_has_one_successor(
    identity: Identity, tokens: Tokens
) -> None:
    answers = await asyncio.gather(
        *(identity.sessions.refresh(tokens.refresh_token) for _ in range(4))
    )
    assert len({answer.refresh_token for answer in answers}) == 1
    for answer in answers:
        identity.verifier.verify(f"Bearer {answer.access_token}")
    following = await identity.sessions.refresh(answers[0].refresh_token)
    assert following.refresh_token != answers[0].refresh_token


class TestALostAnswer:
    """The device that refreshed never heard of it and asks again; so may a thief."""

    async def test_the_same_device_gets_the_same_token(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        lost = await identity.sessions.refresh(tokens.refresh_token)
        hand_clock.advance(9)
        again = await identity.sessions.refresh(tokens.refresh_token)
        assert again.refresh_token == lost.refresh_token
        assert again.session_id == tokens.session_id
        await identity.sessions.refresh(again.refresh_token)

    async def test_but_not_later(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        following = await identity.sessions.refresh(tokens.refresh_token)
        hand_clock.advance(LOST_ANSWER.total_seconds())
        await self._is_ended(identity, tokens, following)

    async def test_not_once_the_next_token_was_used(
        self, identity: Identity, tokens: Tokens
    ) -> None:
        following = await identity.sessions.refresh(tokens.refresh_token)
        following = await identity.sessions.refresh(following.refresh_token)
        await self._is_ended(identity, tokens, following)

    async def test_not_from_another_device(self, identity: Identity, tokens: Tokens) -> None:
        following = await identity.sessions.refresh(tokens.refresh_token)
        await self._is_ended(identity, tokens, following, device="Chrome · Windows")

    async def test_not_after_signing_out(self, identity: Identity, tokens: Tokens) -> None:
        await identity.sessions.refresh(tokens.refresh_token)
        await identity.sessions.logout(session_of(identity, tokens))
        with pytest.raises(RefreshInvalid):
            await identity.sessions.refresh(tokens.refresh_token)

    async def test_an_old_thief_is_found_out_at_the_next_refresh(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        # The thief asked within the time; from then on both hold the same token.
        mine = await identity.sessions.refresh(tokens.refresh_token)
        theirs = await identity.sessions.refresh(tokens.refresh_token)
        hand_clock.advance(3_600)
        later = await identity.sessions.refresh(theirs.refresh_token)
        hand_clock.advance(3_600)
        await self._is_ended(identity, mine, later)

    async def _is_ended(
        self, identity: Identity, used: Tokens, newest: Tokens, device: str = ""
    ) -> None:
        with pytest.raises(RefreshReused):
            await identity.sessions.refresh(used.refresh_token, device=device)
        with pytest.raises(RefreshInvalid):
            await identity.sessions.refresh(newest.refresh_token)
        with pytest.raises(TokenRevoked):
            identity.verifier.verify(f"Bearer {newest.access_token}")


async def test_whoever_may_not_refresh_uses_nothing_up(identity: Identity, tokens: Tokens) -> None:
    asked: list[str] = []

    def refuse(session: str) -> None:
        asked.append(session)
        raise NotFound

    with pytest.raises(NotFound):
        await identity.sessions.refresh(tokens.refresh_token, refuse)
    assert asked == [tokens.session_id]
    await identity.sessions.refresh(tokens.refresh_token)


class TestTheList:
    PHONE = "Firefox · Android"

    async def test_it_tells_with_what_from_where_how_and_when(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        person = identity.verifier.verify(f"Bearer {tokens.access_token}").person
        hand_clock.advance(60)
        await identity.sessions.login(ANA, PASSWORD, "192.0.2.7", device=self.PHONE)
        newest, first = await identity.sessions.of(person)
        assert (newest.device, newest.address, newest.method) == (
            self.PHONE,
            "192.0.2.7",
            "password",
        )
        assert (first.device, first.address, first.method) == ("", None, "sms")
        assert newest.created_at - first.created_at == timedelta(seconds=60)
        assert first.last_seen_at == first.created_at
        assert ids.write_uuid(first.id) == tokens.session_id

    async def test_use_is_written_for_many_at_once(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        person = identity.verifier.verify(f"Bearer {tokens.access_token}").person
        session = session_of(identity, tokens)
        hand_clock.advance(300)
        for noted in (session, session, b"\0" * 16):
            identity.sightings.note(noted)
        await identity.sightings.write()
        [seen] = await identity.sessions.of(person)
        assert seen.last_seen_at - seen.created_at == timedelta(seconds=300)
        hand_clock.advance(300)
        await identity.sightings.write()
        assert await identity.sessions.of(person) == [seen]

    async def test_a_refresh_is_a_use(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        person = identity.verifier.verify(f"Bearer {tokens.access_token}").person
        hand_clock.advance(3_600)
        await identity.sessions.refresh(tokens.refresh_token, address="2001:db8::1")
        [seen] = await identity.sessions.of(person)
        assert seen.last_seen_at - seen.created_at == timedelta(hours=1)
        assert seen.address == "2001:db8::1"

    async def test_only_what_holds_is_told(
        self, identity: Identity, tokens: Tokens, hand_clock: HandClock
    ) -> None:
        person = identity.verifier.verify(f"Bearer {tokens.access_token}").person
        ended = await identity.sessions.login(ANA, PASSWORD)
        await identity.sessions.logout(session_of(identity, ended))
        assert len(await identity.sessions.of(person)) == 1
        assert await identity.sessions.of(person + 1) == []
        hand_clock.advance(30 * 86_400)
        assert await identity.sessions.of(person) == []

    async def test_one_ends_ones_own_only(self, identity: Identity, tokens: Tokens) -> None:
        principal = identity.verifier.verify(f"Bearer {tokens.access_token}")
        with pytest.raises(NotFound):
            await identity.sessions.end_own(principal.person + 1, principal.session, "x")
        identity.verifier.verify(f"Bearer {tokens.access_token}")
        await identity.sessions.end_own(principal.person, principal.session, "x")
        with pytest.raises(TokenRevoked):
            identity.verifier.verify(f"Bearer {tokens.access_token}")
        with pytest.raises(NotFound):
            await identity.sessions.end_own(principal.person, principal.session, "x")


@pytest.mark.parametrize("token", ["", "x" * 43, "é" * 43, "\ud800" * 43, "x" * 100_000])
async def test_unknown_refresh_tokens(identity: Identity, token: str) -> None:
    with pytest.raises(RefreshInvalid):
        await identity.sessions.refresh(token)


async def test_refresh_tokens_run_out(
    identity: Identity, tokens: Tokens, hand_clock: HandClock
) -> None:
    day = 86_400
    for _ in range(6):
        hand_clock.advance(29 * day)
        tokens = await identity.sessions.refresh(tokens.refresh_token)
    # The session itself ends after 180 days, however lively it is.
    hand_clock.advance(6 * day)
    with pytest.raises(RefreshInvalid):
        await identity.sessions.refresh(tokens.refresh_token)
    idle = await identity.sessions.login(ANA, PASSWORD)
    hand_clock.advance(30 * day)
    with pytest.raises(RefreshInvalid):
        await identity.sessions.refresh(idle.refresh_token)


async def test_logout(identity: Identity, tokens: Tokens) -> None:
    other = await identity.sessions.login(ANA, PASSWORD)
    session = session_of(identity, tokens)
    await identity.sessions.logout(session)
    with pytest.raises(TokenRevoked):
        identity.verifier.verify(f"Bearer {tokens.access_token}")
    with pytest.raises(RefreshInvalid):
        await identity.sessions.refresh(tokens.refresh_token)
    await identity.sessions.logout(session)
    await identity.sessions.logout(b"\0" * 16)
    identity.verifier.verify(f"Bearer {other.access_token}")


async def test_ending_all_but_one(identity: Identity, tokens: Tokens) -> None:
    person = identity.verifier.verify(f"Bearer {tokens.access_token}").person
    others = [await identity.sessions.login(ANA, PASSWORD) for _ in range(3)]
    kept = session_of(identity, tokens)
    assert await identity.sessions.end_all(person, "new password", keep=kept) == 3
    identity.verifier.verify(f"Bearer {tokens.access_token}")
    for other in others:
        with pytest.raises(TokenRevoked):
            identity.verifier.verify(f"Bearer {other.access_token}")
    assert await identity.sessions.end_all(person, "closed") == 1


async def test_service_tokens(identity: Identity, hand_clock: HandClock) -> None:
    issue = identity.service_tokens.issue_service_token
    token = await issue("reporting", {"balances:read"}, timedelta(days=30))
    principal = identity.verifier.verify(f"Bearer {token}")
    assert principal.service
    principal.require("balances:read")
    (record,) = await identity.service_tokens.all()
    assert (record.name, record.session, record.revoked_at) == (
        "reporting",
        principal.session,
        None,
    )
    assert await identity.sessions.end(principal.session, "admin")
    assert not await identity.sessions.end(principal.session, "admin")
    with pytest.raises(TokenRevoked):
        identity.verifier.verify(f"Bearer {token}")
    (record,) = await identity.service_tokens.all()
    assert record.revoked_at is not None


@pytest.mark.parametrize(
    ("name", "scopes", "lifetime"),
    [
        ("", {"balances:read"}, timedelta(days=1)),
        ("x" * 101, {"balances:read"}, timedelta(days=1)),
        ("a\0b", {"balances:read"}, timedelta(days=1)),
        ("a", {"everything"}, timedelta(days=1)),
        ("a", {"person"}, timedelta(days=1)),
        ("a", set(), timedelta(days=1)),
        ("a", {"balances:read"}, timedelta(0)),
        ("a", {"balances:read"}, timedelta(days=367)),
    ],
)
async def test_service_tokens_refused(
    identity: Identity, name: str, scopes: set[str], lifetime: timedelta
) -> None:
    with pytest.raises(ServiceTokenRefused):
        await identity.service_tokens.issue_service_token(name, scopes, lifetime)
    assert await identity.service_tokens.all() == []


async def test_names_to_confirm(identity: Identity, tokens: Tokens, hand_clock: HandClock) -> None:
    people = identity.people
    for to in (ANA, "+65 9123 4567", "@ana", "@Ana"):
        assert await people.name_to_confirm(1, to) == "ana"
    for to in (NOBODY, "@nobody", "ana", "w_0000000000001", "@"):
        with pytest.raises(NotFound):
            await people.name_to_confirm(1, to)
    for _ in range(NAMES_PER_PERSON.most - 9):
        await people.name_to_confirm(1, "@ana")
    with pytest.raises(TooManyRequests) as problem:
        await people.name_to_confirm(1, "@ana")
    assert problem.value.extra == {"retry_after": 86_400}
    await people.name_to_confirm(2, "@ana")
    hand_clock.advance(86_400)
    await people.name_to_confirm(1, "@ana")
