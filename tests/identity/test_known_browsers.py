"""Browsers known again by their cookie: counted apart from strangers, wherever they are."""

from collections.abc import Iterator

import pytest
from tests.identity.hand_clock import HandClock
from tests.identity.sign_up import ANA, PASSWORD, sign_up
from tests.identity.test_familiar import guess

from tikiwallet.identity import origin
from tikiwallet.identity.keys import ServerSecret
from tikiwallet.identity.known_browsers import LIFETIME, KnownBrowsers
from tikiwallet.identity.limits import LOGINS_PER_PHONE, TooManyRequests
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.people import Person
from tikiwallet.notify.inbox import SandboxInbox

BEN = "+6598765432"
AWAY, STRANGER = "198.51.100.1", "203.0.113.9"
SECRET = ServerSecret(b"s" * 32)


@pytest.fixture(autouse=True)
def nowhere() -> Iterator[None]:
    yield
    origin.set_origin(None, None)


def use(browser: str | None) -> None:
    """What follows comes from a browser with this cookie."""
    origin.set_origin(None, None, browser)


def test_a_cookie_is_read_until_it_is_too_old(hand_clock: HandClock) -> None:
    browsers = KnownBrowsers(SECRET, hand_clock)
    first, second = (browsers.issue("p_0000000000009") for _ in range(2))
    known = browsers.read(first)
    assert known is not None
    assert known.person == 9
    assert known != browsers.read(second)
    hand_clock.advance(LIFETIME.total_seconds() - 86_400)
    assert browsers.read(first) == known
    hand_clock.advance(86_400)
    assert browsers.read(first) is None


def test_what_was_not_issued_here_is_nobodys(hand_clock: HandClock) -> None:
    browsers = KnownBrowsers(SECRET, hand_clock)
    value = browsers.issue("p_0000000000009")
    another = KnownBrowsers(ServerSecret(b"t" * 32), hand_clock).issue("p_0000000000009")
    wrong = ["", ".", "...", "é" * 20, "x" * 500, value[:-1], value + "0", another]
    for other in (*wrong, value.replace("p_0000000000009", "p_0000000000008")):
        assert browsers.read(other) is None


async def test_strangers_do_not_lock_a_known_browser_out(identity: Identity, ana: Person) -> None:
    known = identity.known_browsers.issue(ana.text_id)
    use(None)
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
    use(known)
    await identity.sessions.login(ANA, PASSWORD, AWAY)


async def test_a_known_browser_guesses_no_more_than_others(identity: Identity, ana: Person) -> None:
    first, second = (identity.known_browsers.issue(ana.text_id) for _ in range(2))
    use(first)
    for number in range(LOGINS_PER_PHONE.most):
        await guess(identity, f"203.0.113.{number}", 1)
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
    use(second)
    await identity.sessions.login(ANA, PASSWORD, AWAY)


async def test_a_cookie_helps_with_ones_own_phone_only(
    identity: Identity, inbox: SandboxInbox, ana: Person
) -> None:
    ben = (await sign_up(identity, inbox, BEN, "ben"))[0]
    await guess(identity, STRANGER, LOGINS_PER_PHONE.most)
    use(identity.known_browsers.issue(ben.text_id))
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
    use("p_0000000000009.1.2.3")
    with pytest.raises(TooManyRequests):
        await identity.sessions.login(ANA, PASSWORD, AWAY)
