"""Registers people in tests the way the app does: register, read the message, verify."""

from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import Person
from tikiwallet.identity.sessions import Tokens
from tikiwallet.notify.inbox import SandboxInbox

PASSWORD = "seven lemons a day"
ANA = "+6591234567"


async def code_for(inbox: SandboxInbox, phone: str) -> str:
    """The newest code that `phone` got."""
    code = (await inbox.messages(phone))[0]["code"]
    assert code is not None
    return code


async def sign_up(
    identity: Identity, inbox: SandboxInbox, phone: str, username: str, password: str = PASSWORD
) -> tuple[Person, Tokens]:
    """A new person, signed in."""
    registration = (await identity.registration.register(phone, username, password, "192.0.2.1")).id
    return await identity.registration.verify(registration, await code_for(inbox, phone))


def other_code(code: str) -> str:
    """Six digits that are not `code`."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def session_of(identity: Identity, tokens: Tokens) -> bytes:
    """The session that access tokens belong to."""
    return identity.verifier.verify(f"Bearer {tokens.access_token}").session
