"""Passkeys and authenticator apps, added and used as the app does it."""

from tests.identity.authenticator import TRUTH, Authenticator, Lie
from tests.identity.authenticator_app import AuthenticatorApp
from tests.identity.hand_clock import HandClock

from tikiwallet.identity.parts import Identity
from tikiwallet.identity.passkeys import Passkey
from tikiwallet.identity.people import Person
from tikiwallet.identity.sessions import Tokens

SESSION = b"s" * 16  # in which passkeys are added
STEP = 30  # seconds for which an authenticator app shows a code


async def add(
    identity: Identity, person: Person, device: Authenticator, name: str = "phone"
) -> Passkey:
    """A passkey of `person` on `device`."""
    options = await identity.passkeys.begin_adding(person, SESSION)
    return await identity.passkeys.add(person.id, SESSION, name, device.create(options))


async def sign_in(identity: Identity, device: Authenticator, lie: Lie = TRUTH) -> Tokens:
    """Sign in with a passkey alone."""
    id, options = await identity.passkey_sign_in.options()
    return await identity.passkey_sign_in.sign_in(id, device.get(options, lie))


async def switch_on(identity: Identity, person: int, hand_clock: HandClock) -> AuthenticatorApp:
    """An authenticator app of `person`, whose first code is used."""
    app = AuthenticatorApp((await identity.totp.begin(person, "ana")).secret)
    await identity.second_factors.confirm_totp(person, app.code(seconds(hand_clock)))
    return app


def seconds(hand_clock: HandClock) -> int:
    """The time as authenticator apps take it."""
    return hand_clock() // 1_000_000
