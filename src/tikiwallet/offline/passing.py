"""Payments that pass received money on: which of an upload rest on which, and what is known of the
payments that they name as sources.

To name a source is to claim it, as a RECEIPT does: its payee's key signed its hash.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from tikiwallet.database.pool import AnyConnection, Database
from tikiwallet.offline.claims import AnyRead, KnownPass, PaymentRead
from tikiwallet.offline.deciding import Reason, Source, Terms, is_seen, shown_rule
from tikiwallet.offline.wire.messages import HOPS_MOST

BEYOND: Final = HOPS_MOST + 1  # however long the chain is: no pass allows it
_CLAIMED: Final = """
    SELECT pay_hash, hops FROM offline.claim
    WHERE pay_hash = ANY($1::bytea[]) AND state <> 'recorded'
"""
_NAMED: Final = """
    SELECT claim.pay_hash, claim.payee_pass, currency, amount, hops, reason,
        void.message AS void
    FROM offline.claim LEFT JOIN offline.void USING (payee_pass, request_id)
    WHERE pay_hash = ANY($1::bytea[])
"""
_NAMING: Final = """
    SELECT payer_pass, pay_hash, sources FROM offline.claim
    WHERE payer_pass = ANY($1::uuid[]) AND sources IS NOT NULL
"""


class Named(NamedTuple):
    """A payment that another one names as a source; `void` is there when its payee called its
    request off."""

    hash: bytes
    payee_pass: bytes
    currency: int
    amount: int
    hops: int
    reason: Reason | None = None
    void: bytes | None = None

    def source_of(self, terms: Terms) -> Source:
        """What it is to a payment from the pass with these terms."""
        fits = self.payee_pass == terms.id and self.currency == terms.currency
        seen = self.reason is not None and is_seen(self.reason)
        return Source(self.amount, self.hops, fits and not seen)


@dataclass(frozen=True, slots=True)
class Chains:
    """The payments of one upload by hash. `hops` are there for those of which every source is in
    the upload or has been claimed before; `claimed` are the sources that are claimed by being
    named, each with the pass that names it."""

    payments: dict[bytes, PaymentRead] = field(default_factory=dict)
    hops: dict[bytes, int] = field(default_factory=dict)
    claimed: frozenset[tuple[bytes, bytes]] = frozenset()

    def lacks(self, reading: AnyRead) -> bool:
        """Whether a source of it is missing."""
        passes_on = isinstance(reading, PaymentRead) and bool(reading.sources)
        return passes_on and reading.hash not in self.hops

    def waves(self, readings: Sequence[AnyRead]) -> list[list[AnyRead]]:
        """In the order brought, but each after what it names."""
        by_hops: dict[int, list[AnyRead]] = {}
        for reading in readings:
            hops = self.hops.get(reading.hash, 0) if isinstance(reading, PaymentRead) else 0
            by_hops.setdefault(hops, []).append(reading)
        return [by_hops[hops] for hops in sorted(by_hops)]

    async def named(
        self,
        connection: AnyConnection,
        readings: Iterable[PaymentRead],
        passes: Mapping[bytes, KnownPass],
    ) -> dict[bytes, Named]:
        """What is known of the sources of `readings`. One that is not recorded, as too much was
        signed with its pass, is judged by what it says."""
        hashes = self._below(readings)
        if not hashes:
            return {}
        rows = await connection.fetch(_NAMED, list(hashes))
        named = {row["pay_hash"]: _named(row) for row in rows}
        for reading in readings:
            for hash in reading.sources:
                self._judge(hash, named, passes)
        return named

    def _below(self, readings: Iterable[PaymentRead]) -> set[bytes]:
        """The sources of `readings`, and theirs as far as they are in the upload."""
        found: set[bytes] = set()
        coming = [hash for reading in readings for hash in reading.sources]
        while coming:
            hash = coming.pop()
            if hash not in found and hash in self.payments:
                coming += self.payments[hash].sources
            found.add(hash)
        return found

    def _judge(
        self, hash: bytes, named: dict[bytes, Named], passes: Mapping[bytes, KnownPass]
    ) -> Named:
        """Put one that is not recorded into `named`, with the rule that it breaks."""
        if hash not in named:
            reading = self.payments[hash]
            pay, payer = reading.pay, passes[reading.pay.payer.id]
            below = [self._judge(source, named, passes) for source in reading.sources]
            sources = tuple(one.source_of(payer.terms) for one in below)
            reason = shown_rule(payer.terms, reading.payment(sources))
            hops = self.hops.get(hash, 0)
            named[hash] = Named(
                hash, pay.payee_pass, payer.terms.currency, pay.amount, hops, reason
            )
        return named[hash]


_NONE: Final = Chains()


async def sort_out(database: Database, readings: Iterable[AnyRead]) -> Chains:
    """Which payments of an upload rest on which."""
    payments = {one.hash: one for one in readings if isinstance(one, PaymentRead)}
    passing_on = [one for one in payments.values() if one.sources]
    if not passing_on:
        return _NONE
    asked = {hash for one in passing_on for hash in (one.hash, *one.sources)}
    known = {row["pay_hash"]: row["hops"] for row in await database.fetch(_CLAIMED, list(asked))}
    hops = _hops(payments, known)
    claimed = frozenset((one.pay.payer.id, hash) for one in passing_on for hash in one.sources)
    return Chains(payments, hops, claimed)


async def naming(
    connection: AnyConnection, passes: Iterable[bytes]
) -> dict[tuple[bytes, bytes], list[bytes]]:
    """The payments from `passes` that name a source, by pass and source."""
    found: dict[tuple[bytes, bytes], list[bytes]] = {}
    for row in await connection.fetch(_NAMING, [UUID(bytes=id) for id in passes]):
        for hash in row["sources"]:
            found.setdefault((row["payer_pass"].bytes, hash), []).append(row["pay_hash"])
    return found


def _hops(payments: dict[bytes, PaymentRead], known: dict[bytes, int]) -> dict[bytes, int]:
    """How often money in each was passed on, by the longest chain; without those that lack one."""
    counted: dict[bytes, int | None] = dict(known)

    def count(hash: bytes) -> int | None:
        if hash not in counted:
            reading = payments.get(hash)
            below = [] if reading is None else [count(source) for source in reading.sources]
            lacking = reading is None or None in below
            hops = 1 + max((one for one in below if one is not None), default=-1)
            counted[hash] = None if lacking else min(hops, BEYOND)
        return counted[hash]

    return {hash: hops for hash in payments if (hops := count(hash)) is not None}


def _named(row: Any) -> Named:
    return Named(
        row["pay_hash"],
        row["payee_pass"].bytes,
        row["currency"],
        row["amount"],
        row["hops"],
        None if row["reason"] is None else Reason(row["reason"]),
        row["void"],
    )
