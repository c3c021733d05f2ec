"""What never reaches the rules."""

from typing import Any

import msgspec
import pytest
from tests.ledger.writers import SGD, new_id

from tikiwallet.ledger.transactions import (
    AMOUNT_MAX,
    LEGS_MAX,
    REFERENCE_MAX,
    TOTAL_MAX,
    Abandon,
    AnyCommand,
    Capture,
    CloseAccount,
    Freeze,
    Hold,
    OpenAccount,
    Posting,
    Reverse,
    SetLimits,
    Transaction,
    Void,
)
from tikiwallet.ledger.validation import validate

ONE = (Posting(1, 2, 1, SGD),)
LAST_MOMENT = 253_402_300_799_000_000
GOOD: list[AnyCommand] = [
    Transaction(new_id(), postings=ONE),
    Transaction(new_id(), digest=b"d" * 32, kind=2**15 - 1, postings=ONE * LEGS_MAX),
    Transaction(new_id(), postings=(Posting(2**63 - 1, 1, AMOUNT_MAX, 2**15 - 1),)),
    # SAME_ACCOUNT is a result, not a mistake in form.
    Transaction(new_id(), postings=(Posting(1, 1, 1, SGD),)),
    Transaction(new_id(), postings=ONE, reference="\U0010ffff" * REFERENCE_MAX),
    Transaction(new_id(), postings=ONE, reference="\x01\x7f\u200b\ufeff\n"),
    Hold(new_id(), postings=ONE, expires_at=LAST_MOMENT),
    Hold(new_id(), postings=ONE, expires_at=1),
    Capture(new_id(), hold=new_id()),
    Capture(new_id(), hold=new_id(), amounts=(0, AMOUNT_MAX)),
    Reverse(new_id(), original=new_id(), amounts=(1,) * LEGS_MAX),
    Void(new_id(), hold=new_id(), expiry=True),
    OpenAccount(new_id(), account=1, currency=SGD, floor=TOTAL_MAX, ceiling=TOTAL_MAX),
    OpenAccount(new_id(), account=2**63 - 1, currency=1, ceiling=0),
    SetLimits(new_id(), account=1),
    Freeze(new_id(), account=1),
    CloseAccount(new_id(), account=1),
    Abandon(new_id()),
]
PAYMENT, HOLD, CAPTURE = GOOD[0], GOOD[6], GOOD[8]
REVERSE, VOID, OPEN, LIMITS = GOOD[10], GOOD[11], GOOD[12], GOOD[14]
BAD: list[tuple[AnyCommand, dict[str, Any]]] = [
    *((command, {"id": id_}) for command in GOOD for id_ in (b"", b"i" * 15, b"i" * 17)),
    (PAYMENT, {"id": bytearray(16)}),
    (PAYMENT, {"id": "i" * 16}),
    *((command, {"digest": digest}) for command in GOOD for digest in (b"d", b"d" * 33)),
    (PAYMENT, {"digest": "d" * 32}),
    *(
        (command, {"postings": postings})
        for command in (PAYMENT, HOLD)
        for postings in (
            (),
            ONE * (LEGS_MAX + 1),
            (Posting(1, 2, 0, SGD),),
            (Posting(1, 2, -1, SGD),),
            (Posting(1, 2, AMOUNT_MAX + 1, SGD),),
            (Posting(1, 2, 1.0, SGD),),  # type: ignore[arg-type]
            (Posting(1, 2, True, SGD),),
            (Posting(0, 2, 1, SGD),),
            (Posting(1, 0, 1, SGD),),
            (Posting(1, 2**63, 1, SGD),),
            (Posting(-1, 2, 1, SGD),),
            (Posting("1", 2, 1, SGD),),  # type: ignore[arg-type]
            (Posting(True, 2, 1, SGD),),
            (Posting(1, 2, 1, 0),),
            (Posting(1, 2, 1, 2**15),),
            (Posting(1, 2, 1, "SGD"),),  # type: ignore[arg-type]
            (*ONE, Posting(1, 2, 0, SGD)),
        )
    ),
    *((command, {"kind": kind}) for command in (PAYMENT, HOLD) for kind in (0, -1, 2**15, 1.0)),
    *(
        (command, {"reference": text})
        for command in (PAYMENT, HOLD, CAPTURE, REVERSE)
        for text in ("a\0b", "\ud800", "ab\udfff", "x" * (REFERENCE_MAX + 1))
    ),
    *((HOLD, {"expires_at": at}) for at in (0, -1, LAST_MOMENT + 1, 1.5, None)),
    *((CAPTURE, {"hold": id_}) for id_ in (b"", b"h" * 15, "h" * 16)),
    *((VOID, {"hold": id_}) for id_ in (b"", b"h" * 17)),
    *((REVERSE, {"original": id_}) for id_ in (b"", b"h" * 15)),
    *(
        (command, {"amounts": amounts})
        for command in (CAPTURE, REVERSE)
        for amounts in (
            (), (0,), (0, 0), (-1,), (1, -1), (AMOUNT_MAX + 1,), (1.0,), (True,),
            (1,) * (LEGS_MAX + 1),
        )
    ),
    *((command, {"account": account}) for command in GOOD[12:17] for account in (0, -1, 2**63)),
    *((OPEN, {"currency": currency}) for currency in (0, 2**15)),
    *((OPEN, {"type": type_}) for type_ in (0, 2**15)),
    *(
        (command, {name: value})
        for command in (OPEN, LIMITS)
        for name in ("floor", "ceiling")
        for value in (-1, TOTAL_MAX + 1, 0.5)
    ),
    (OPEN, {"floor": None}),
]  # fmt: skip


@pytest.mark.parametrize("command", GOOD)
def test_what_is_well_formed_passes(command: AnyCommand) -> None:
    validate(command)
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=AnyCommand)
    assert travelled == command
    validate(travelled)


@pytest.mark.parametrize(
    ("command", "changes"), BAD, ids=[f"{type(c).__name__}-{i}" for i, (c, _) in enumerate(BAD)]
)
def test_what_is_malformed_raises(command: AnyCommand, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        validate(msgspec.structs.replace(command, **changes))
