"""Recovery codes: ten, once each, however they are typed."""

import asyncio
import re
from collections.abc import Callable

import pytest
from tests.identity.sign_up import sign_up

from tikiwallet.database.pool import Database
from tikiwallet.identity.parts import Identity
from tikiwallet.identity.second_factors import SecondFactorOff
from tikiwallet.notify.inbox import SandboxInbox


@pytest.fixture(autouse=True)
async def by_sms(identity: Identity, person: int) -> None:
    """A second factor, beside which there can be recovery codes."""
    await identity.second_factors.set_sms(person, True)


async def use(identity: Identity, database: Database, person: int, code: str) -> bool:
    async with database.transaction() as connection:
        return await identity.second_factors.use_code(connection, person, code)


async def test_ten_codes_once_each(identity: Identity, database: Database, person: int) -> None:
    codes = await identity.second_factors.new_recovery_codes(person)
    assert len(set(codes)) == 10
    for left, code in zip(range(9, -1, -1), codes, strict=True):
        assert re.fullmatch("([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}", code)
        assert await use(identity, database, person, code)
        assert not await use(identity, database, person, code)
        assert (await identity.second_factors.factors(person)).recovery_codes == left


async def test_however_it_is_typed(identity: Identity, database: Database, person: int) -> None:
    codes = await identity.second_factors.new_recovery_codes(person)
    changes: tuple[Callable[[str], str], ...] = (
        str.upper,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f" {code} ",
        lambda code: code.replace("0", "O").replace("1", "l"),
        lambda code: code.replace("0", "o").replace("1", "I"),
    )
    for code, change in zip(codes, changes, strict=False):
        assert await use(identity, database, person, change(code))


@pytest.mark.parametrize(
    "code", ["", "k7md-9x2p-4qw", "k7md-9x2p-4qwzz", "ｋ7md-9x2p-4qwz", "\0" * 12]
)
async def test_what_is_no_code(
    identity: Identity, database: Database, person: int, code: str
) -> None:
    await identity.second_factors.new_recovery_codes(person)
    assert not await use(identity, database, person, code)


async def test_new_codes_end_the_former(
    identity: Identity, database: Database, person: int
) -> None:
    former = await identity.second_factors.new_recovery_codes(person)
    await identity.second_factors.new_recovery_codes(person)
    for code in former:
        assert not await use(identity, database, person, code)


async def test_somebody_elses_code(
    identity: Identity, database: Database, person: int, inbox: SandboxInbox
) -> None:
    (code, *_) = await identity.second_factors.new_recovery_codes(person)
    other = (await sign_up(identity, inbox, "+6598765432", "ben"))[0].id
    assert not await use(identity, database, other, code)
    assert await use(identity, database, person, code)


async def test_one_code_by_many_at_once(
    identity: Identity, database: Database, person: int
) -> None:
    (code, *_) = await identity.second_factors.new_recovery_codes(person)
    answers = await asyncio.gather(*(use(identity, database, person, code) for _ in range(6)))
    assert sorted(answers) == [False] * 5 + [True]


async def test_they_go_with_the_last_factor(
    identity: Identity, database: Database, person: int
) -> None:
    (code, *_) = await identity.second_factors.new_recovery_codes(person)
    await identity.second_factors.set_sms(person, False)
    assert not await use(identity, database, person, code)
    with pytest.raises(SecondFactorOff):
        await identity.second_factors.new_recovery_codes(person)


async def test_what_is_kept_does_not_give_them_away(
    identity: Identity, database: Database, person: int
) -> None:
    codes = await identity.second_factors.new_recovery_codes(person)
    rows = await database.fetch("SELECT * FROM identity.recovery_code")
    assert len(rows) == 10
    assert not any(code.replace("-", "") in repr(row) for code in codes for row in rows)
