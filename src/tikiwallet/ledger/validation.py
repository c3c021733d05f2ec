"""Bounds of a command before it reaches the rules: whatever passes here, SQL accepts.

A command that fails is the caller's bug, so this raises ValueError instead of giving a result.
"""

from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    LEGS_MAX,
    REFERENCE_MAX,
    TOTAL_MAX,
    Abandon,
    AccountType,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    Kind,
    OpenAccount,
    Posting,
    Reverse,
    SetLimits,
    Transaction,
    Void,
)

_ID_MAX = 2**63 - 1
_SMALL_MAX = 2**15 - 1
_INTEGERS = (int, Kind, AccountType)  # and not bool
_TIME_MAX = 253_402_300_799_000_000  # the last second of the year 9999


def validate(command: AnyCommand) -> None:
    """Raises ValueError, in words, for a command outside the ledger's bounds."""
    if type(command.id) is not bytes or len(command.id) != 16:
        raise ValueError("id must be 16 bytes")
    if command.digest and (type(command.digest) is not bytes or len(command.digest) != 32):
        raise ValueError("digest must be 32 bytes, or empty")
    match command:
        case Transaction():
            _check_postings(command.postings)
            _check_number("kind", command.kind, 1, _SMALL_MAX)
            if command.reference:
                _check_reference(command.reference)
        case Hold():
            _check_postings(command.postings)
            _check_number("kind", command.kind, 1, _SMALL_MAX)
            _check_number("expires_at", command.expires_at, 1, _TIME_MAX)
            _check_reference(command.reference)
        case Capture():
            _check_id("hold", command.hold)
            _check_amounts(command.amounts)
            _check_reference(command.reference)
        case Reverse():
            _check_id("original", command.original)
            _check_amounts(command.amounts)
            _check_reference(command.reference)
        case Void():
            _check_id("hold", command.hold)
        case OpenAccount():
            _check_number("account", command.account, 1, _ID_MAX)
            _check_number("type", command.type, 1, _SMALL_MAX)
            _check_number("currency", command.currency, 1, _SMALL_MAX)
            _check_limits(command.floor, command.ceiling)
        case SetLimits():
            _check_number("account", command.account, 1, _ID_MAX)
            _check_limits(command.floor, command.ceiling)
        case Freeze() | CloseAccount():
            _check_number("account", command.account, 1, _ID_MAX)
        case Abandon():
            pass


def _check_postings(postings: tuple[Posting, ...]) -> None:
    if not 1 <= len(postings) <= LEGS_MAX:
        raise ValueError(f"a transaction has 1 to {LEGS_MAX} postings")
    for posting in postings:
        amount, debit, credit = posting.amount, posting.debit, posting.credit
        if type(amount) is not int or not 1 <= amount <= AMOUNT_MAX:
            raise ValueError(f"amount must be an integer from 1 to {AMOUNT_MAX}")
        if type(debit) is not int or type(credit) is not int:
            raise ValueError("accounts must be integers")
        if not (1 <= debit <= _ID_MAX and 1 <= credit <= _ID_MAX):
            raise ValueError("accounts must be from 1 to 2^63-1")
        if type(posting.currency) is not int or not 1 <= posting.currency <= _SMALL_MAX:
            raise ValueError("currency must be a currency number")


def _check_number(name: str, value: int, low: int, high: int) -> None:
    if type(value) not in _INTEGERS or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}")


def _check_id(name: str, value: bytes) -> None:
    if type(value) is not bytes or len(value) != 16:
        raise ValueError(f"{name} must be 16 bytes")


def _check_limits(floor: int, ceiling: int | None) -> None:
    _check_number("floor", floor, 0, TOTAL_MAX)
    if ceiling is not None:
        _check_number("ceiling", ceiling, 0, TOTAL_MAX)


def _check_amounts(amounts: tuple[int, ...] | None) -> None:
    if amounts is None:
        return
    if not 1 <= len(amounts) <= LEGS_MAX or not any(amounts):
        raise ValueError("amounts must name at least one leg and not all be zero")
    for amount in amounts:
        _check_number("amount", amount, 0, AMOUNT_MAX)


def _check_reference(reference: str) -> None:
    if len(reference) > REFERENCE_MAX:
        raise ValueError(f"reference must be text of at most {REFERENCE_MAX} characters")
    if "\0" in reference:
        raise ValueError("reference must not hold NUL")
    try:
        reference.encode()
    except UnicodeEncodeError:
        raise ValueError("reference must not hold lone surrogates") from None
