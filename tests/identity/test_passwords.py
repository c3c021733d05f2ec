"""Passwords: rules, hashing off the loop, the same work for nobody."""

import asyncio
import time

import pytest

from tikiwallet.errors import Overloaded
from tikiwallet.identity.commonest import COMMONEST
from tikiwallet.identity.hashing import Cost, Hashing
from tikiwallet.identity.passwords import COST, Passwords, PasswordWeak, check_rules

PHONE, USERNAME = "+6591234567", "ana.maria"
CHEAP = Cost(passes=1, memory_kib=64)


@pytest.mark.parametrize(
    "password",
    [
        "seven lemons a day",
        "x7#kQ9!p",
        "пароль-долгий",
        "😀😁😂🤣😃😄😅😆",
        "ana.maria likes tea",
        "y" + "z x" * 66,
    ],
)
def test_good(password: str) -> None:
    check_rules(password, PHONE, USERNAME)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x7#kQ9!",
        "ab c" * 51,
        "\ufb01\ufb01\ufb01",  # six letters once the ligatures are taken apart
        "password",
        "PassWord1",
        "\uff50assword1",  # full-width p
        "aaaaaaaab",
        "abababab",
        "23456789",
        "hgfedcba",
        "6591234567",
        "+65 9123 4567",
        "91234567",
        "ana.maria",
        "ANA.MARIA",
        "ana.maria2024!",
        "airam.ana",
        "half a pair \ud800",
    ],
)
def test_weak(password: str) -> None:
    with pytest.raises(PasswordWeak):
        check_rules(password, PHONE, USERNAME)


def test_the_list_holds_what_the_length_rule_lets_through() -> None:
    assert len(COMMONEST) > 300
    assert all(len(word) >= 8 and word == word.casefold() for word in COMMONEST)


@pytest.fixture
def hashing() -> Hashing:
    return Hashing()


async def test_hash_and_match(hashing: Hashing) -> None:
    passwords = Passwords(hashing)
    encoded = await passwords.hash("caf\u00e9 olé 7")
    assert encoded.startswith(f"$argon2id$v=19$m={COST.memory_kib},t={COST.passes},p=1$")
    assert await passwords.matches(encoded, "cafe\u0301 olé 7")
    assert not await passwords.matches(encoded, "cafe olé 7")
    assert not await passwords.matches(encoded, "z" * 100_000)
    assert not await passwords.matches(encoded, "\ud800" * 9)
    hashing.close()


async def test_nobody_matches_after_the_same_work(hashing: Hashing) -> None:
    passwords = Passwords(hashing)
    encoded = await passwords.hash("seven lemons a day")
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for known in (True, False):
            began = time.perf_counter()
            assert not await passwords.matches(encoded if known else None, "wrong password")
            took[known].append(time.perf_counter() - began)
    assert 0.5 < min(took[True]) / min(took[False]) < 2
    assert hashing.count == 11
    hashing.close()


async def test_an_older_cost_is_noticed(hashing: Hashing) -> None:
    encoded = await Passwords(hashing, CHEAP).hash("seven lemons a day")
    today = Passwords(hashing)
    assert today.is_outdated(encoded)
    assert await today.matches(encoded, "seven lemons a day")
    assert not today.is_outdated(await today.hash("seven lemons a day"))
    hashing.close()


async def test_the_loop_runs_on_while_hashes_are_made(hashing: Hashing) -> None:
    passwords = Passwords(hashing)
    work = asyncio.gather(*(passwords.hash(f"seven lemons {n}") for n in range(8)))
    ticks = 0
    while not work.done():
        await asyncio.sleep(0)
        ticks += 1
    # Eight hashes in other threads are turned over some hundred thousand times in between.
    assert ticks > 100
    assert len(set(await work)) == 8
    hashing.close()


async def test_the_line_is_bounded() -> None:
    hashing = Hashing(threads=1, waiting=2)
    passwords = Passwords(hashing)
    answers = await asyncio.gather(
        *(passwords.hash("seven lemons a day") for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 3
    assert (await passwords.hash("seven lemons a day")).startswith("$argon2id$")
    hashing.close()


async def test_callers_that_go_away_leave_the_line() -> None:
    hashing = Hashing(threads=1, waiting=1)
    passwords = Passwords(hashing)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await passwords.hash("seven lemons a day")
        while True:
            try:
                await passwords.matches(None, "x")
                break
            except Overloaded:
                await asyncio.sleep(0.001)
    hashing.close()
