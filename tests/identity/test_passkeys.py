"""People's passkeys: adding them, and signing in with one alone."""

import asyncio

import pytest
from tests.identity.authenticator import AlreadyThere, Authenticator, Json, Lie
from tests.identity.conftest import ISSUER
from tests.identity.factors import SESSION, add, sign_in
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import sign_up
from tests.identity.test_relying_party import LIES

from tikiwallet.database.pool import Database
from tikiwallet.errors import InvalidRequest, NotFound
from tikiwallet.identity.limits import TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passkey_sign_in import OPTIONS_PER_ADDRESS
from tikiwallet.identity.passkeys import MOST, PasskeyExists, PasskeysFull
from tikiwallet.identity.people import Person
from tikiwallet.identity.relying_party import PasskeyInvalid
from tikiwallet.identity.sessions import Tokens
from tikiwallet.notify.inbox import SandboxInbox

OTHER_SESSION = b"o" * 16
WRONG = {
    **LIES,
    "nobody named": Lie(handle=None),
    "somebody else named": Lie(handle=b"x" * 32),
    "an empty handle": Lie(handle=b""),
    "not signed": Lie(signature=b"x" * 70),
    "a passkey that is not known": Lie(credential_id=b"x" * 16),
    "could suddenly be copied": Lie(backup_eligible=True),
    "made, not used": Lie(type="webauthn.create"),
}


@pytest.fixture
async def ben(identity: Identity, inbox: SandboxInbox) -> Person:
    return (await sign_up(identity, inbox, "+6598765432", "ben"))[0]


class TestAdding:
    async def test_a_passkey_is_added_and_signs_in(
        self, identity: Identity, ana: Person, hand_clock: HandClock
    ) -> None:
        device = Authenticator(ISSUER)
        added = await add(identity, ana, device)
        assert (added.name, added.last_used_at, added.synced) == ("phone", None, False)
        hand_clock.advance(60)
        tokens = await sign_in(identity, device)
        assert tokens.person_id == ana.text_id
        (kept,) = await identity.passkeys.all(ana.id)
        assert kept.id == added.id
        assert kept.last_used_at is not None
        assert kept.last_used_at > kept.created_at

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
    async def test_lies(self, identity: Identity, ana: Person, lie: Lie) -> None:
        options = await identity.passkeys.begin_adding(ana, SESSION)
        made = Authenticator(ISSUER).create(options, lie)
        with pytest.raises(PasskeyInvalid):
            await identity.passkeys.add(ana.id, SESSION, "phone", made)
        assert await identity.passkeys.all(ana.id) == []

    async def test_options_work_once(self, identity: Identity, ana: Person) -> None:
        options = await identity.passkeys.begin_adding(ana, SESSION)
        await identity.passkeys.add(ana.id, SESSION, "a", Authenticator(ISSUER).create(options))
        with pytest.raises(PasskeyInvalid):
            await identity.passkeys.add(ana.id, SESSION, "b", Authenticator(ISSUER).create(options))

    async def test_options_run_out(
        self, identity: Identity, ana: Person, hand_clock: HandClock
    ) -> None:
        options = await identity.passkeys.begin_adding(ana, SESSION)
        hand_clock.advance(300)
        with pytest.raises(PasskeyInvalid):
            await identity.passkeys.add(
                ana.id, SESSION, "phone", Authenticator(ISSUER).create(options)
            )

    async def test_options_are_for_one_person_and_session(
        self, identity: Identity, ana: Person, ben: Person
    ) -> None:
        for person, session in ((ben, SESSION), (ana, OTHER_SESSION)):
            options = await identity.passkeys.begin_adding(ana, SESSION)
            made = Authenticator(ISSUER).create(options)
            with pytest.raises(PasskeyInvalid):
                await identity.passkeys.add(person.id, session, "phone", made)

    async def test_options_to_sign_in_make_no_passkey(
        self, identity: Identity, ana: Person
    ) -> None:
        adding = await identity.passkeys.begin_adding(ana, SESSION)
        _, signing = await identity.passkey_sign_in.options()
        made = Authenticator(ISSUER).create({**adding, "challenge": signing["challenge"]})
        with pytest.raises(PasskeyInvalid):
            await identity.passkeys.add(ana.id, SESSION, "phone", made)

    async def test_one_device_has_one(self, identity: Identity, ana: Person, ben: Person) -> None:
        device = Authenticator(ISSUER)
        await add(identity, ana, device)
        with pytest.raises(AlreadyThere):
            await add(identity, ana, device)
        # A device that does not care, and one that claims to be somebody else's.
        for person in (ana, ben):
            options = await identity.passkeys.begin_adding(person, SESSION)
            made = (
                Authenticator(ISSUER).create(options, Lie(credential_id=device.kept[0].id))
                if person is ben
                else _again(device, options)
            )
            with pytest.raises(PasskeyExists):
                await identity.passkeys.add(person.id, SESSION, "copy", made)
        assert (await sign_in(identity, device)).person_id == ana.text_id

    async def test_there_is_an_end(self, identity: Identity, ana: Person) -> None:
        for _ in range(MOST - 1):
            await add(identity, ana, Authenticator(ISSUER))
        two = [await identity.passkeys.begin_adding(ana, SESSION) for _ in range(2)]
        answers = await asyncio.gather(
            *(
                identity.passkeys.add(
                    ana.id, SESSION, "last", Authenticator(ISSUER).create(options)
                )
                for options in two
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, PasskeysFull) for answer in answers) == 1
        with pytest.raises(PasskeysFull):
            await identity.passkeys.begin_adding(ana, SESSION)

    @pytest.mark.parametrize(
        "name", ["", "  ", "a\0b", "a\nb", "x" * 61, "a\u202eb", "a\u2066b", "\ud800", "a\u2028b"]
    )
    async def test_names_that_are_none(self, identity: Identity, ana: Person, name: str) -> None:
        added = await add(identity, ana, Authenticator(ISSUER))
        with pytest.raises(InvalidRequest):
            await identity.passkeys.rename(ana.id, added.text_id, name)

    async def test_names(self, identity: Identity, ana: Person, ben: Person) -> None:
        added = await add(identity, ana, Authenticator(ISSUER), "  Cafe\u0301 👩‍💻 ")
        assert added.name == "Caf\u00e9 👩‍💻"
        renamed = await identity.passkeys.rename(ana.id, added.text_id, "هاتف")
        assert (renamed.id, renamed.name) == (added.id, "هاتف")
        for person, id in ((ben.id, added.text_id), (ana.id, "k_0000000000001"), (ana.id, "x")):
            with pytest.raises(NotFound):
                await identity.passkeys.rename(person, id, "mine")

    async def test_removing(self, identity: Identity, ana: Person, ben: Person) -> None:
        device = Authenticator(ISSUER)
        added = await add(identity, ana, device)
        with pytest.raises(NotFound):
            await identity.second_factors.remove_passkey(ben.id, added.text_id)
        await identity.second_factors.remove_passkey(ana.id, added.text_id)
        with pytest.raises(NotFound):
            await identity.second_factors.remove_passkey(ana.id, added.text_id)
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, device)


class TestSigningIn:
    @pytest.mark.parametrize("lie", WRONG.values(), ids=WRONG.keys())
    async def test_lies(self, identity: Identity, device: Authenticator, lie: Lie) -> None:
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, device, lie)
        await sign_in(identity, device)

    async def test_an_answer_works_once(self, identity: Identity, device: Authenticator) -> None:
        id, options = await identity.passkey_sign_in.options()
        answer = device.get(options)
        answers = await asyncio.gather(
            *(identity.passkey_sign_in.sign_in(id, answer) for _ in range(4)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, Tokens) for one in answers) == 1
        assert sum(isinstance(one, PasskeyInvalid) for one in answers) == 3

    async def test_a_challenge_runs_out(
        self, identity: Identity, device: Authenticator, hand_clock: HandClock
    ) -> None:
        id, options = await identity.passkey_sign_in.options()
        hand_clock.advance(300)
        with pytest.raises(PasskeyInvalid):
            await identity.passkey_sign_in.sign_in(id, device.get(options))

    async def test_another_challenges_id(self, identity: Identity, device: Authenticator) -> None:
        _, options = await identity.passkey_sign_in.options()
        other, _ = await identity.passkey_sign_in.options()
        for id in (other, "x", ""):
            with pytest.raises(PasskeyInvalid):
                await identity.passkey_sign_in.sign_in(id, device.get(options))

    async def test_a_counter_that_does_not_rise(
        self, identity: Identity, device: Authenticator
    ) -> None:
        await sign_in(identity, device, Lie(count=7))
        for count in (7, 6, 1, 0):
            with pytest.raises(PasskeyInvalid):
                await sign_in(identity, device, Lie(count=count))
        await sign_in(identity, device, Lie(count=8))
        await sign_in(identity, device, Lie(count=2**32 - 1))

    async def test_a_counter_is_not_moved_by_a_forgery(
        self, identity: Identity, device: Authenticator
    ) -> None:
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, device, Lie(count=2**31, signature=b"x" * 70))
        await sign_in(identity, device)

    async def test_passkeys_that_sync_do_not_count(
        self, identity: Identity, ana: Person, database: Database
    ) -> None:
        device = Authenticator(ISSUER, synced=True)
        assert (await add(identity, ana, device)).synced
        for _ in range(3):
            assert (await sign_in(identity, device)).person_id == ana.text_id

    async def test_each_device_signs_in_its_own(
        self, identity: Identity, device: Authenticator, ana: Person, ben: Person
    ) -> None:
        bens = Authenticator(ISSUER)
        await add(identity, ben, bens)
        assert (await sign_in(identity, bens)).person_id == ben.text_id
        assert (await sign_in(identity, device)).person_id == ana.text_id
        # Ben's device names Ana's passkey: the signature is Ben's.
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, bens, Lie(credential_id=device.kept[0].id))
        with pytest.raises(PasskeyInvalid):
            await sign_in(identity, bens, Lie(handle=device.kept[0].handle))

    async def test_handles_tell_nothing(
        self, identity: Identity, device: Authenticator, ana: Person
    ) -> None:
        handle = device.kept[0].handle
        assert len(handle) == 32
        again = await identity.passkeys.begin_adding(ana, SESSION)
        other = Authenticator(ISSUER)
        other.create(again)
        assert other.kept[0].handle == handle

    async def test_challenges_are_limited_by_address(
        self, identity: Identity, database: Database
    ) -> None:
        await identity.passkey_sign_in.options("192.0.2.7")
        await database.execute(
            "UPDATE identity.attempt SET count = $1 WHERE kind = 'passkey.address'",
            OPTIONS_PER_ADDRESS.most,
        )
        with pytest.raises(TooManyRequests):
            await identity.passkey_sign_in.options("192.0.2.7")
        await identity.passkey_sign_in.options("192.0.2.8")


def _again(device: Authenticator, options: Json) -> Json:
    """The passkey that `device` has, offered as if it were new."""
    kept = device.kept.pop()
    made = device.create({**options, "excludeCredentials": []}, Lie(credential_id=kept.id))
    device.kept[:] = [kept]
    return made
