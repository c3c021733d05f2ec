"""A PAY with the received payments that it passes on, its sources, and theirs in turn.

They travel as one bundle: the PAY, then the PAY and the INVITE of each source in the order in which
it is named, each followed by its own sources; what is named twice stands once, at its first place.
A PAY without sources travels bare. Whether any of it holds is the question of `checks`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tikiwallet.offline.wire import cose, frames
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.messages import (
    BUNDLE_MOST,
    AnyMessage,
    Invite,
    Pay,
    bundled,
    unbundled,
)
from tikiwallet.offline.wire.messages import read as read_message

LONGEST: Final = frames.LONGEST  # bytes, as everything that QR codes carry
PAY_LONGEST: Final = 582  # bytes of a PAY with four sources
_AROUND: Final = 3  # bytes before a message in a bundle; before all of them at most 2


@dataclass(frozen=True, eq=False)
class Paid:
    """A PAY and the links that it passes on, in the order in which it names them."""

    pay: Pay
    sources: tuple["Link", ...] = ()

    @cached_property
    def hops(self) -> int:
        """How often the money was passed on, by the longest way that it came."""
        return 1 + max(one.hops for one in self.sources) if self.sources else 0

    @property
    def covered(self) -> int:
        """What its pass may have paid with this PAY, in minor units: its amount and the sources."""
        return self.pay.payer.amount + sum(one.pay.amount for one in self.sources)

    @property
    def pays(self) -> tuple[Pay, ...]:
        """All PAYs of which it consists, each once, oldest first: its own is the last."""
        return (*(one.pay for one in self.links()), self.pay)

    def links(self) -> tuple["Link", ...]:
        """All that is passed on, once each, oldest first: a source before who spends it."""
        return all_of(self.sources)


@dataclass(frozen=True, eq=False, kw_only=True)
class Link(Paid):
    """A payment that is passed on. `invite` is the one that its PAY answers."""

    invite: Invite

    @property
    def raw(self) -> bytes:
        """A bundle of its PAY, its INVITE and its sources."""
        return bundled([self.pay.raw, self.invite.raw, *_messages(self.sources)])


class Chain(Paid):
    """A payment as it travels."""

    @property
    def raw(self) -> bytes:
        """Its bytes: the PAY alone, or the bundle. Raises `Malformed` when that is too long."""
        if not self.sources:
            return self.pay.raw
        data = bundled([self.pay.raw, *_messages(self.sources)])
        _check_length(data)
        return data


def read(data: bytes) -> Chain:
    """A PAY as it travels: bare, or the bundle with its sources. Raises `Malformed`."""
    _check_length(data)
    pay, rest = _opened(data)
    if data[:1] != cose.TAG and not pay.sources:
        raise Malformed("a bundle for a PAY that names no sources")
    return Chain(pay, _whole(pay, rest))


def read_link(data: bytes) -> Link:
    """A received payment, as `Link.raw` gives it. Raises `Malformed`."""
    _check_length(data)
    pay, rest = _opened(data)
    return Link(pay=pay, invite=_answered(pay, rest), sources=_whole(pay, rest))


def head(data: bytes) -> Pay:
    """The PAY of a chain or a link; what it passes on is not read. Raises `Malformed`."""
    return _opened(data)[0]


def message(data: bytes) -> AnyMessage:
    """A message of whatever kind, or the PAY of a chain. Raises `Malformed`."""
    return read_message(data) if data[:1] == cose.TAG else head(data)


def received(data: bytes, invite: bytes) -> Link:
    """The payment that came as the chain `data`, to be passed on: `invite` is what was asked.
    Raises `Malformed`."""
    chain = read(data)
    return Link(pay=chain.pay, invite=_answered(chain.pay, iter((invite,))), sources=chain.sources)


def all_of(links: Sequence[Link]) -> tuple[Link, ...]:
    """These and all that they pass on, once each, oldest first."""
    found: dict[bytes, Link] = {}
    _gather(links, found)
    return tuple(found.values())


def fits(links: Sequence[Link]) -> bool:
    """Could the largest PAY there is travel with these as its sources?"""
    messages = _messages(links)
    length = 2 + sum(_AROUND + one for one in (PAY_LONGEST, *map(len, messages)))
    return length <= LONGEST and len(messages) < BUNDLE_MOST


def _messages(links: Sequence[Link]) -> list[bytes]:
    """The messages of these and all below, each once."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    _lay_out(links, found)
    return [message for two in found.values() for message in two]


def _lay_out(links: Sequence[Link], found: dict[bytes, tuple[bytes, bytes]]) -> None:
    for link in links:
        if link.pay.hash not in found:
            found[link.pay.hash] = link.pay.raw, link.invite.raw
            _lay_out(link.sources, found)


def _gather(links: Sequence[Link], found: dict[bytes, Link]) -> None:
    for link in links:
        if link.pay.hash not in found:
            _gather(link.sources, found)
            found[link.pay.hash] = link


def _check_length(data: bytes) -> None:
    if len(data) > LONGEST:
        raise Malformed(f"a chain of more than {LONGEST} bytes")


def _opened(data: bytes) -> tuple[Pay, Iterator[bytes]]:
    """The PAY that these bytes are or begin with, and what follows."""
    messages = iter((data,) if data[:1] == cose.TAG else unbundled(data))
    return Pay.parse(next(messages)), messages


def _answered(pay: Pay, rest: Iterator[bytes]) -> Invite:
    """The INVITE that `pay` answers, which comes next."""
    invite = Invite.parse(_next(rest))
    if invite.hash != pay.request_hash:
        raise Malformed("a source with an INVITE that it does not answer")
    return invite


def _whole(pay: Pay, rest: Iterator[bytes]) -> tuple[Link, ...]:
    """The sources of `pay`, which all of the rest is."""
    sources = _sources(pay, rest, {})
    if next(rest, None) is not None:
        raise Malformed("a chain with what nobody in it names")
    return sources


def _sources(pay: Pay, rest: Iterator[bytes], known: dict[bytes, Link]) -> tuple[Link, ...]:
    """`known`: those that were read already, and so stand nowhere else."""
    for hash in pay.sources or ():
        if hash not in known:
            source = Pay.parse(_next(rest))
            if source.hash != hash:
                raise Malformed("a source that is not the one named")
            invite = _answered(source, rest)
            below = _sources(source, rest, known)
            known[hash] = Link(pay=source, invite=invite, sources=below)
    return tuple(known[hash] for hash in pay.sources or ())


def _next(rest: Iterator[bytes]) -> bytes:
    message = next(rest, None)
    if message is None:
        raise Malformed("a chain without a source that it names")
    return message
