"""Signed messages that somebody brings for settlement: read, matched, verified.

What is found wrong here is told and not recorded, since whoever brought it may have mixed something
up or made it up: the same payment, brought whole, is still taken. Whether a payee kept the rules is
`deciding`'s question.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from tikiwallet.clock import SECOND, to_us
from tikiwallet.database.pool import Database
from tikiwallet.offline.deciding import Payment, Request, Signed, Source, Terms
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import Close, Invite, Message, Pass, Pay, Receipt, Void
from tikiwallet.recent import Recent

Kind: TypeAlias = Literal["payment", "void", "close"]
_PASSES: Final = 50_000  # remembered
_SHARE: Final = 25  # signatures that one thread checks before another may go on
_COLUMNS: Final = (
    "id, device, person, wallet, currency, escrow, amount, public_key, hash, start_seq,"
    " most_per_payment, payments, hops, payee_lock, expires_at, claim_until"
)
_Answer = TypeVar("_Answer")


class Flaw(StrEnum):
    """Why something that was brought is not even recorded."""

    MALFORMED = "message_malformed"
    MISMATCH = "messages_do_not_match"
    UNKNOWN_PASS = "pass_unknown"  # noqa: S105
    BAD_SIGNATURE = "signature_invalid"
    CROWDED = "pass_crowded"
    SOURCE_MISSING = "source_missing"


class Brought(NamedTuple):
    """The bytes of one item: `pay` and `invite`, perhaps `receipt`; or `void` and `invite`; or
    `close`."""

    pay: bytes | None = None
    invite: bytes | None = None
    receipt: bytes | None = None
    void: bytes | None = None
    close: bytes | None = None

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        return "payment" if self.pay else "void" if self.void else "close"


@dataclass(frozen=True, slots=True)
class KnownPass:
    """What never changes about a pass that was signed here."""

    device: int
    person: int
    wallet: int
    escrow: int | None
    key: PublicKey
    terms: Terms

    @property
    def id(self) -> bytes:
        """The pass's."""
        return self.terms.id

    @property
    def hash(self) -> bytes:
        """The PASS's."""
        return self.terms.hash


@dataclass(frozen=True, slots=True)
class PaymentRead:
    """A PAY with the INVITE that it answers."""

    pay: Pay
    invite: Invite
    receipt: Receipt | None

    @property
    def hash(self) -> bytes:
        """What it is known by."""
        return self.pay.hash

    @property
    def passes(self) -> tuple[bytes, ...]:
        """The payer's and the payee's."""
        return self.pay.payer.id, self.invite.payee.id

    @property
    def sources(self) -> tuple[bytes, ...]:
        """The received payments that it passes on, by hash."""
        return self.pay.sources or ()

    def payment(self, sources: tuple[Source, ...]) -> Payment:
        """What decides about it, with what is known of its sources."""
        pay, invite = self.pay, self.invite
        return Payment(
            Signed(pay.hash, pay.previous, pay.sequence, pay.amount, pay.cumulative),
            pay.payee_pass,
            sources,
            Request(
                invite.payee.id,
                invite.payee.pseudonym,
                invite.amount,
                invite.currency,
                invite.made_at,
                None if self.receipt is None else self.receipt.time,
            ),
        )


@dataclass(frozen=True, slots=True)
class VoidRead:
    """A VOID with the INVITE that it calls off."""

    void: Void
    invite: Invite

    @property
    def hash(self) -> bytes:
        """What it is known by."""
        return self.void.hash

    @property
    def passes(self) -> tuple[bytes, ...]:
        """The payee's."""
        return (self.void.payee_pass,)


@dataclass(frozen=True, slots=True)
class CloseRead:
    """A CLOSE."""

    close: Close

    @property
    def hash(self) -> bytes:
        """What it is known by."""
        return self.close.hash

    @property
    def passes(self) -> tuple[bytes, ...]:
        """The payer's."""
        return (self.close.pass_id,)


AnyRead: TypeAlias = PaymentRead | VoidRead | CloseRead


def read(item: Brought) -> AnyRead | Flaw:
    """What an item says, if its parts belong together. Nothing is verified yet."""
    try:
        if item.close is not None:
            return CloseRead(Close.parse(item.close))
        if item.invite is None:
            return Flaw.MALFORMED
        invite = Invite.parse(item.invite)
        if item.void is not None:
            void = Void.parse(item.void)
            matches = (void.request_id, void.payee_pass) == (invite.request_id, invite.payee.id)
            return VoidRead(void, invite) if matches else Flaw.MISMATCH
        pay = Pay.parse(item.pay or b"")
        receipt = None if item.receipt is None else Receipt.parse(item.receipt)
    except Malformed:
        return Flaw.MALFORMED
    if pay.request_hash != invite.hash:
        return Flaw.MISMATCH
    if receipt is not None and receipt.pay_hash != pay.hash:
        return Flaw.MISMATCH
    return PaymentRead(pay, invite, receipt)


class KnownPasses:
    """The passes that were signed here, by id; what never changes about them is remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Recent[bytes, KnownPass](_PASSES)

    async def load(self, ids: Iterable[bytes]) -> dict[bytes, KnownPass]:
        """Those of `ids` that were signed here."""
        found: dict[bytes, KnownPass] = {}
        missing = []
        for id in set(ids):
            known = self._known.get(id)
            if known is None:
                missing.append(UUID(bytes=id))
            else:
                found[id] = known
        if missing:
            rows = await self._database.fetch(
                f"SELECT {_COLUMNS} FROM offline.pass"  # noqa: S608
                " WHERE id = ANY($1::uuid[]) AND hash IS NOT NULL",
                missing,
            )
            for row in rows:
                known = _known_pass(row)
                self._known.put(known.id, known)
                found[known.id] = known
        return found


class Checker:
    """Verifies what was read, on threads of its own: the curve's arithmetic needs no interpreter
    lock, so the event loop goes on meanwhile."""

    def __init__(self, passes: KnownPasses, threads: int = 2) -> None:
        self._passes = passes
        self._threads = ThreadPoolExecutor(threads, "signatures")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def check(
        self, person: int, items: Sequence[Brought]
    ) -> tuple[list[AnyRead | Flaw], dict[bytes, KnownPass]]:
        """What each item says, or what is wrong with it; and the passes of all. `person` brings
        them: a payee need not prove to have asked."""
        readings = await self._apart(lambda: [read(item) for item in items])
        passes = await self._passes.load(
            id for reading in readings if not isinstance(reading, Flaw) for id in reading.passes
        )
        proofs: list[list[tuple[Message, PublicKey]]] = []
        for place, reading in enumerate(readings):
            needed = [] if isinstance(reading, Flaw) else _proofs(reading, passes, person)
            if needed is None:
                readings[place] = Flaw.UNKNOWN_PASS
            proofs.append(needed or [])
        held = await asyncio.gather(
            *(
                self._apart(partial(_all_hold, proofs[start : start + _SHARE]))
                for start in range(0, len(proofs), _SHARE)
            )
        )
        for place, holds in enumerate(hold for part in held for hold in part):
            if not holds:
                readings[place] = Flaw.BAD_SIGNATURE
        return readings, passes

    async def _apart(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _all_hold(items: Sequence[Sequence[tuple[Message, PublicKey]]]) -> list[bool]:
    return [all(message.is_signed_by(key) for message, key in proofs) for proofs in items]


def _proofs(
    reading: AnyRead, passes: dict[bytes, KnownPass], person: int
) -> list[tuple[Message, PublicKey]] | None:
    """The signatures that must hold for `reading` to be taken; None when a pass in it is not one
    that was signed here. That a pass is ours needs no signature: we know what we signed."""
    match reading:
        case PaymentRead(pay, invite, receipt):
            payer, payee = _same(pay.payer, passes), _same(invite.payee, passes)
            if payer is None or payee is None:
                return None
            proofs: list[tuple[Message, PublicKey]] = [(pay, payer.key)]
            if receipt is not None:  # it names the PAY, and that the INVITE
                proofs.append((receipt, payee.key))
            elif payee.person != person:
                proofs.append((invite, payee.key))
            return proofs
        case VoidRead(void, invite):
            payee = _same(invite.payee, passes)
            return None if payee is None else [(void, payee.key), (invite, payee.key)]
        case CloseRead(close):
            payer = passes.get(close.pass_id)
            return None if payer is None else [(close, payer.key)]


def _same(shown: Pass, passes: dict[bytes, KnownPass]) -> KnownPass | None:
    known = passes.get(shown.id)
    return known if known is not None and known.hash == shown.hash else None


def _known_pass(row: Any) -> KnownPass:
    return KnownPass(
        device=row["device"],
        person=row["person"],
        wallet=row["wallet"],
        escrow=row["escrow"],
        key=PublicKey(row["public_key"]),
        terms=Terms(
            id=row["id"].bytes,
            hash=row["hash"],
            currency=row["currency"],
            amount=row["amount"],
            start=row["start_seq"],
            most_per_payment=row["most_per_payment"],
            payments=row["payments"],
            hops=row["hops"],
            payee_lock=row["payee_lock"],
            expires_at=to_us(row["expires_at"]) // SECOND,
            claim_until=to_us(row["claim_until"]) // SECOND,
        ),
    )
