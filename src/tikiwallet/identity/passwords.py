"""Passwords: rules for new ones, and checks that take as long for people we do not know."""

import unicodedata
from itertools import pairwise

from tikiwallet.errors import Problem
from tikiwallet.identity.commonest import COMMONEST
from tikiwallet.identity.hashing import Cost, Hashing, needs_new_hash, unmatchable_hash

SHORTEST = 8
LONGEST = 200
# OWASP holds 19 MiB and two passes for as strong as 46 MiB and one. It takes 23 ms on one core of a
# small machine instead of 60: above 32 MiB glibc gives the memory back after each hash, and the
# kernel clears it anew for the next, which holds up the process's other threads as well.
COST = Cost(passes=2, memory_kib=19_456)


class PasswordWeak(Problem):
    code = "password_weak"
    title = "This password is too easy to guess"


class PasswordWrong(Problem):
    code = "password_wrong"
    title = "This password is wrong"


class Passwords:
    """Hashes and checks passwords at today's cost."""

    def __init__(self, hashing: Hashing, cost: Cost = COST) -> None:
        self._hashing = hashing
        self._cost = cost
        self._nobody = unmatchable_hash(cost)

    async def hash(self, password: str) -> str:
        """The hash to keep of a password that `check_rules` let through."""
        return await self._hashing.make(_canonical(password).encode(), self._cost)

    async def matches(self, encoded: str | None, password: str) -> bool:
        """Whether `password` is the one behind `encoded`; with None (nobody), False after the same
        work. Raises `Overloaded`."""
        secret = _canonical(password)
        if len(secret) > LONGEST:
            encoded, secret = None, ""
        right = await self._hashing.matches(encoded or self._nobody, _to_bytes(secret))
        return right and encoded is not None

    def unmatchable(self) -> str:
        """A hash that no password matches, and that takes as long to check as any other."""
        return unmatchable_hash(self._cost)

    def is_outdated(self, encoded: str) -> bool:
        """Whether the password should be hashed again, at today's cost."""
        return needs_new_hash(encoded, self._cost)


def check_rules(password: str, phone: str, username: str) -> None:
    """Raises `PasswordWeak` for a password that is too short, too long, a run of characters, among
    the commonest, or the person's own phone or username (both normalised)."""
    secret = _canonical(password)
    if not SHORTEST <= len(secret) <= LONGEST:
        raise PasswordWeak(f"A password has {SHORTEST} to {LONGEST} characters")
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise PasswordWeak("This password holds characters that cannot be stored") from None
    folded = secret.casefold()
    digits = phone.removeprefix("+")
    typed = "".join(letter for letter in folded if letter not in "+ -().")
    # The number as dialled at home lacks the country, which has at most three digits.
    if typed == digits or (len(typed) >= len(digits) - 3 and digits.endswith(typed)):
        raise PasswordWeak("A password must not be your phone number")
    if folded in (username, username[::-1]) or folded.strip("0123456789!.@#_-") == username:
        raise PasswordWeak("A password must not be your username")
    if folded in COMMONEST or len(set(folded)) < 3 or _is_run(folded):
        raise PasswordWeak


def _canonical(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _to_bytes(secret: str) -> bytes:
    return secret.encode(errors="surrogatepass")


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})
