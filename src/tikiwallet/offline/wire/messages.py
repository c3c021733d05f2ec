"""The eight messages. `parse` reads one and checks all bounds that need nothing else than the
message; whose signature holds is `trust`'s question, whether to act on it that of `checks`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self, TypeAlias, get_type_hints

from tikiwallet.offline.wire import cbor, cose
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.cose import Kind, Sealed, Unsealed
from tikiwallet.offline.wire.fields import (
    AMOUNT,
    CURRENCY,
    EPOCH,
    HASH,
    ID,
    PSEUDONYM,
    PUBLIC_KEY,
    SEQUENCE,
    SOME,
    TIME,
    Field,
    Rule,
    integer,
    octets,
    record,
    several,
    text,
)
from tikiwallet.offline.wire.keys import PublicKey, Signer
from tikiwallet.offline.wire.phones import COMMITMENT_LENGTH, SALT_LENGTH, commitment

PASS_LONGEST: Final = 255
NAME_LONGEST: Final = 20  # bytes of UTF-8
MEMO_LONGEST: Final = 24
LIFE_LONGEST: Final = 3_600  # seconds an INVITE may live
HOPS_MOST: Final = 3
SOURCES_MOST: Final = 4
KEYS_MOST: Final = 16
REVOKED_MOST: Final = 900  # in one list; further ones follow from its epoch on
BUNDLE_MOST: Final = 100
ACCEPTED: Final = 1


class Limits(NamedTuple):
    """What a pass allows: the most of one payment in minor units, how many payments, and how
    often money may be passed on before it has settled."""

    most_per_payment: int
    payments: int
    hops: int


class IssuerKey(NamedTuple):
    """A key that signs passes and revocations dated within these seconds, both included."""

    kid: bytes
    key: PublicKey
    not_before: int
    not_after: int


class _Place(NamedTuple):
    """Where a member of a message stands in its payload."""

    name: str
    key: int
    rule: Rule
    optional: bool


@dataclass(frozen=True, kw_only=True)
class Message:
    """What all have. One that was parsed has its bytes (`raw`) and its `hash`; one that was made
    here has not, since both follow from its signer."""

    KIND: ClassVar[Kind]
    _PLACES: ClassVar[tuple[_Place, ...]]
    sealed: Sealed | None = field(default=None, compare=False, repr=False)

    def __init_subclass__(cls) -> None:
        hints = get_type_hints(cls, include_extras=True).items()
        cls._PLACES = tuple(
            _Place(name, place.key, place.rule, getattr(cls, name, ...) is None)
            for name, hint in hints
            for place in getattr(hint, "__metadata__", ())
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read one. Raises `Malformed`."""
        return cls.of(cose.open_(data))

    @classmethod
    def of(cls, sealed: Sealed) -> Self:
        """The message that was taken apart already. Raises `Malformed`."""
        if sealed.kind is not cls.KIND:
            raise Malformed(f"{sealed.kind.name} where {cls.KIND.name} should be")
        message = cls(sealed=sealed, **cls._read(sealed.payload))
        message._check()
        return message

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self._parsed.raw

    @property
    def hash(self) -> bytes:
        """SHA-256 of what is signed."""
        return self._parsed.hash

    @property
    def kid(self) -> bytes:
        """The id of its signer's key; empty where a pass names the signer."""
        return self._parsed.kid

    def is_signed_by(self, key: PublicKey) -> bool:
        """Does its signature hold under `key`?"""
        return self._parsed.is_signed_by(key)

    def unsealed(self, public: bytes) -> Unsealed:
        """What the key `public` is to sign. Raises `Malformed` when a bound is broken."""
        payload = {
            place.key: place.rule.write(value)
            for place in self._PLACES
            if (value := getattr(self, place.name)) is not None
        }
        self._read({0: 0, **payload})
        self._check()
        return cose.prepare(self.KIND, payload, public)

    def sealed_by(self, signer: Signer) -> bytes:
        """Its bytes, signed. Raises `Malformed` when a bound is broken."""
        unsealed = self.unsealed(signer.public)
        return unsealed.with_signature(signer.sign(unsealed.to_sign))

    @property
    def _parsed(self) -> Sealed:
        if self.sealed is None:
            raise ValueError("this message has not been signed and parsed yet")
        return self.sealed

    @classmethod
    def _read(cls, payload: Mapping[int, cbor.Value]) -> dict[str, Any]:
        """The members in a payload: all that must be, and nothing else."""
        members = {}
        for name, key, rule, optional in cls._PLACES:
            if key in payload:
                try:
                    members[name] = rule.read(payload[key])
                except Malformed as error:
                    raise Malformed(f"{cls.KIND.name}, {name}: {error}") from None
            elif not optional:
                raise Malformed(f"{cls.KIND.name} without {name}")
        if len(payload) != len(members) + 1:  # key 0 is the kind
            raise Malformed(f"{cls.KIND.name} with a key that it does not have")
        return members

    def _check(self) -> None:
        """What holds between members. Raises `Malformed`."""


@dataclass(frozen=True, kw_only=True)
class Pass(Message):
    """Money set aside for one device; without an amount, leave to receive. The issuer signs it."""

    KIND: ClassVar = Kind.PASS
    id: Annotated[bytes, Field(1, ID)]
    key: Annotated[PublicKey, Field(2, PUBLIC_KEY)]
    pseudonym: Annotated[bytes, Field(3, PSEUDONYM)]
    phone: Annotated[bytes, Field(4, octets(COMMITMENT_LENGTH))]
    salt: Annotated[bytes, Field(5, octets(SALT_LENGTH))]
    name: Annotated[str, Field(6, text(1, NAME_LONGEST))]
    tier: Annotated[int, Field(7, integer(0, 23))]
    currency: Annotated[int, Field(8, CURRENCY)]
    amount: Annotated[int, Field(9, AMOUNT)]
    start_sequence: Annotated[int, Field(10, SEQUENCE)]
    not_before: Annotated[int, Field(11, TIME)]
    expiry: Annotated[int, Field(12, TIME)]
    limits: Annotated[
        Limits, Field(13, record(Limits, AMOUNT, integer(0, 255), integer(0, HOPS_MOST)))
    ]
    epoch: Annotated[int, Field(14, EPOCH)]
    payee_lock: Annotated[bytes | None, Field(15, PSEUDONYM)] = None

    def is_of(self, phone: str) -> bool:
        """Is this the pass of who has this number (E.164)? Raises ValueError for other forms."""
        return commitment(self.salt, phone) == self.phone

    def _check(self) -> None:
        if self.expiry <= self.not_before:
            raise Malformed("PASS that ends before it begins")


@lru_cache(maxsize=4_096)  # pure, and the same pass stands in all messages of its device
def _parse_pass(raw: bytes) -> Pass:
    return Pass.parse(raw)


_PASS_OCTETS: Final = octets(1, PASS_LONGEST)
_PASS: Final = Rule(lambda value: _parse_pass(_PASS_OCTETS.read(value)), lambda held: held.raw)


@dataclass(frozen=True, kw_only=True)
class Invite(Message):
    """What a payee asks for. Its request id is fresh, so that no older PAY answers it."""

    KIND: ClassVar = Kind.INVITE
    payee: Annotated[Pass, Field(1, _PASS)]
    request_id: Annotated[bytes, Field(2, ID)]
    amount: Annotated[int, Field(3, SOME)]
    currency: Annotated[int, Field(4, CURRENCY)]
    memo: Annotated[str | None, Field(5, text(1, MEMO_LONGEST))] = None
    made_at: Annotated[int, Field(6, TIME)]
    life: Annotated[int, Field(7, integer(1, LIFE_LONGEST))]


@dataclass(frozen=True, kw_only=True)
class Pay(Message):
    """One link of a payer's chain: `previous` is the hash of the PAY before it, of the PASS for the
    first; `cumulative` counts all payments of the pass up to this one."""

    KIND: ClassVar = Kind.PAY
    payer: Annotated[Pass, Field(1, _PASS)]
    sequence: Annotated[int, Field(2, SEQUENCE)]
    previous: Annotated[bytes, Field(3, HASH)]
    amount: Annotated[int, Field(4, SOME)]
    cumulative: Annotated[int, Field(5, SOME)]
    payee_pass: Annotated[bytes, Field(6, ID)]
    request_hash: Annotated[bytes, Field(7, HASH)]
    time: Annotated[int, Field(8, TIME)]
    sources: Annotated[tuple[bytes, ...] | None, Field(9, several(HASH, 1, SOURCES_MOST))] = None

    def _check(self) -> None:
        if self.cumulative < self.amount:
            raise Malformed("PAY of more than its cumulative amount")
        if self.sources and len(set(self.sources)) < len(self.sources):
            raise Malformed("PAY with one source twice")


@dataclass(frozen=True, kw_only=True)
class Receipt(Message):
    """The payee has taken a PAY, durably."""

    KIND: ClassVar = Kind.RECEIPT
    pay_hash: Annotated[bytes, Field(1, HASH)]
    status: Annotated[int, Field(2, integer(ACCEPTED, ACCEPTED))] = ACCEPTED
    time: Annotated[int, Field(3, TIME)]


@dataclass(frozen=True, kw_only=True)
class Void(Message):
    """The payee will never take a PAY for this request."""

    KIND: ClassVar = Kind.VOID
    request_id: Annotated[bytes, Field(1, ID)]
    payee_pass: Annotated[bytes, Field(2, ID)]
    time: Annotated[int, Field(3, TIME)]


@dataclass(frozen=True, kw_only=True)
class Close(Message):
    """The payer pays no more with this pass. It takes the next sequence number, so a PAY with the
    same one contradicts it."""

    KIND: ClassVar = Kind.CLOSE
    pass_id: Annotated[bytes, Field(1, ID)]
    sequence: Annotated[int, Field(2, SEQUENCE)]
    cumulative: Annotated[int, Field(3, AMOUNT)]
    time: Annotated[int, Field(4, TIME)]


@dataclass(frozen=True, kw_only=True)
class IssuerKeys(Message):
    """The keys that sign passes and revocations; a higher serial replaces a lower one. Signed by
    the root."""

    KIND: ClassVar = Kind.KEYS
    serial: Annotated[int, Field(1, EPOCH)]
    time: Annotated[int, Field(2, TIME)]
    keys: Annotated[
        tuple[IssuerKey, ...],
        Field(3, several(record(IssuerKey, octets(4), PUBLIC_KEY, TIME, TIME), 1, KEYS_MOST)),
    ]

    def _check(self) -> None:
        if any(key.kid != cose.kid_of(key.key.raw) for key in self.keys):
            raise Malformed("KEYS with a key under another's id")
        if len({key.kid for key in self.keys}) < len(self.keys):
            raise Malformed("KEYS with one key twice")
        if any(key.not_after < key.not_before for key in self.keys):
            raise Malformed("KEYS with a key that ends before it begins")


@dataclass(frozen=True, kw_only=True)
class Revocations(Message):
    """The passes revoked after epoch `since` up to `epoch`; from 0 on it is all of them. Signed by
    the issuer, whose clock `time` is."""

    KIND: ClassVar = Kind.REVOCATIONS
    epoch: Annotated[int, Field(1, EPOCH)]
    since: Annotated[int, Field(2, EPOCH)]
    time: Annotated[int, Field(3, TIME)]
    passes: Annotated[tuple[bytes, ...], Field(4, several(ID, 0, REVOKED_MOST))]

    def _check(self) -> None:
        if self.since > self.epoch:
            raise Malformed("REVOCATIONS that end before they begin")
        if any(after <= before for before, after in pairwise(self.passes)):
            raise Malformed("REVOCATIONS not in order, or one twice")


AnyMessage: TypeAlias = Pass | Invite | Pay | Receipt | Void | Close | IssuerKeys | Revocations
_BY_KIND: Final[dict[Kind, type[AnyMessage]]] = {
    kind.KIND: kind for kind in (Pass, Invite, Pay, Receipt, Void, Close, IssuerKeys, Revocations)
}


def read(data: bytes) -> AnyMessage:
    """A message of whatever kind. Raises `Malformed`."""
    sealed = cose.open_(data)
    return _BY_KIND[sealed.kind].of(sealed)


def bundled(messages: Sequence[bytes]) -> bytes:
    """Several messages as one: a PAY and the chain of its sources, say. Raises `Malformed`."""
    _check_bundle(messages)
    return cbor.encode(list(messages))


def unbundled(data: bytes) -> tuple[bytes, ...]:
    """The messages in a bundle, none of them read yet. Raises `Malformed`."""
    messages = cbor.decode(data)
    if not isinstance(messages, list):
        raise Malformed("a bundle is an array")
    _check_bundle(messages)
    return tuple(messages)  # type: ignore[arg-type]  # bytes, as was just checked


def _check_bundle(messages: Sequence[cbor.Value]) -> None:
    if not 1 <= len(messages) <= BUNDLE_MOST:
        raise Malformed(f"a bundle has 1 to {BUNDLE_MOST} messages")
    if not all(isinstance(item, bytes) and item[:1] == cose.TAG for item in messages):
        raise Malformed("a bundle holds messages only")
