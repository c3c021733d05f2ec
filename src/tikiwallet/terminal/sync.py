"""What a terminal does when there is internet: signs in, registers itself, fetches a pass, uploads
what has not settled, and takes the issuer's keys and revocations.

Every step can be cut off anywhere and done again: the device and the pass are asked for under keys
that are in the journal before, and an upload that came twice changes nothing.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tikiwallet import base64url, ids
from tikiwallet.offline.exchange.effects import Item, Outcomes
from tikiwallet.offline.exchange.keeping import kept, written
from tikiwallet.offline.exchange.purse import Tip
from tikiwallet.offline.known import Known
from tikiwallet.offline.refusals import Refusal
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import IssuerKeys, Pass, Pay, Revocations
from tikiwallet.offline.wire.trust import Trust
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.machines import Machines
from tikiwallet.terminal.server import (
    Issued,
    Keys,
    Offline,
    Refused,
    Server,
    Tokens,
    bytes_of,
)

_DEVICE_NAME: Final = "Terminal"
_AT_ONCE: Final = 100  # items of an upload
_KEY_DOMAIN: Final = b"tikiwallet/offline/1/key\0"
_NO_SERVER: Final = "No server was named: start with --server URL."
_CONFIRM: Final = "The passes were called back. Sign in again, then load a new one."
_NOT_SIGNED_IN: Final = "Sign in first."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A pass that was asked for and has not come yet."""

    key: bytes
    amount: int
    currency: str


class Sync:
    """All calls raise `Offline` and `Refused`."""

    def __init__(self, journal: Journal, machines: Machines, url: str | None) -> None:
        self._journal = journal
        self._machines = machines
        self._access = ""
        self._challenge = ""
        self._calling = asyncio.Lock()
        self._pending_phone = ""
        self.url = url or self._fact("server")

    @property
    def phone(self) -> str:
        """Whose terminal it is; empty before somebody signed in."""
        return self._fact("phone")

    @property
    def is_ready(self) -> bool:
        """Whether there is a server to sync with, and leave to."""
        return bool(self.url and self._fact("refresh"))

    async def sign_in(self, phone: str, password: str) -> bool:
        """False where a code is wanted, which `second_factor` takes."""
        if self.phone not in ("", phone):
            raise Refused(
                "other_owner",
                f"This terminal is {self.phone}'s. Another person's needs a folder of its own"
                " (--data).",
            )
        self._pending_phone = phone
        async with self._server() as server:
            try:
                tokens = await server.sign_in(phone, password)
            except Refused as refused:
                if refused.challenge is None:
                    raise
                self._challenge = refused.challenge
                return False
            await self._begin(server, tokens)
        return True

    async def second_factor(self, code: str) -> None:
        """The code of the sign-in that was begun."""
        async with self._server() as server:
            await self._begin(server, await server.second_factor(self._challenge, code))

    async def _begin(self, server: Server, tokens: Tokens) -> None:
        """Register at once: the service wants who has just shown who they are."""
        self._challenge = ""
        await self._signed_in(tokens)
        await self._device(server, self._access)

    async def _signed_in(self, tokens: Tokens) -> None:
        self._access = tokens.access_token
        facts = {"refresh": tokens.refresh_token, "server": self.url, "phone": self._pending_phone}
        await self._write(**{name: value for name, value in facts.items() if value})

    async def load(self, amount: int, currency: str, pin: str | None) -> None:
        """Fetch a pass, and take it as this terminal's own."""
        async with self._calling, self._server() as server:
            access = await self._token(server)
            known = await self._learn(server)
            device = await self._device(server, access)
            wanted = await self._wanted(amount, currency)
            key = PrivateKey.from_bytes(self._journal.read(Shelf.KEY, wanted.key) or b"")
            body: dict[str, Any] = {
                "device": device,
                "amount": {"amount": wanted.amount, "currency": wanted.currency},
                "key": base64url.write(wanted.key),
                "proof": base64url.write(key.sign(_KEY_DOMAIN + device.encode())),
            }
            if pin:
                body["pin"] = pin
            try:
                issued = await server.issue(access, wanted.key.hex(), body)
            except Refused as refused:
                await self._write(wanted=None)  # the next wish is another one
                if refused.code == "pass_open" and self._machines.has_lost:
                    raise Refused("pass_lost", Refusal.PASS_LOST.sentence) from None
                raise
            if not issued.message:
                raise Offline("The pass is being made; ask again in a moment.")
            message = bytes_of(issued.message)
            self._check_pass(known, message, wanted)
            await self._machines.take_pass(known, message)
            await self._write(wanted=None)

    async def replace(self) -> None:
        """Report this device as replaced, and register it as a new one: its passes are called back.
        What was cut off is done again; a device that was reported before stays so."""
        async with self._calling, self._server() as server:
            access = await self._token(server)
            if device := self._fact("device"):
                await server.replaced(access, device)
            await self._write(device=None, wanted=None)
            try:
                await self._device(server, access)
            except Refused as refused:
                if refused.code == "reauthentication_required":
                    raise Refused(refused.code, _CONFIRM) from None
                raise

    async def _wanted(self, amount: int, currency: str) -> _Wanted:
        """What was asked for before and is still open, if it is the same; else a fresh key."""
        row = self._journal.read(Shelf.FACT, b"wanted")
        if row is not None:
            before = kept(_Wanted, row)
            if (before.amount, before.currency) == (amount, currency):
                return before
        key = PrivateKey.generate()
        wanted = _Wanted(key.public, amount, currency)
        await asyncio.to_thread(
            self._journal.write,
            Change(Shelf.KEY, key.public, key.to_bytes()),
            Change(Shelf.FACT, b"wanted", written(wanted)),
        )
        return wanted

    def _check_pass(self, known: Known, message: bytes, wanted: _Wanted) -> None:
        try:
            own = Pass.parse(message)
        except Malformed as error:
            raise Offline(f"The server's pass cannot be read: {error}") from None
        if not known.has_issued(own) or own.key.raw != wanted.key or own.amount != wanted.amount:
            raise Offline("The server's pass is not the one that was asked for.")

    async def run(self) -> list[str]:
        """Upload, and learn. The answer says what the server did not take, and why."""
        if not self.url:
            raise Offline(_NO_SERVER)
        async with self._calling, self._server() as server:
            access = await self._token(server)
            await self._learn(server)
            passes = await server.passes(access)
            await self._machines.synced(int(time.time()), _tips(passes), _ended(passes))
            return await self._upload(server, access)

    async def _upload(self, server: Server, access: str) -> list[str]:
        complaints = []
        for part in list(uploads(self._machines.outbox.items)):
            verdicts = await server.settle(access, [_written(item) for item in part.values()])
            for place, verdict in zip(part, verdicts, strict=True):
                if verdict.problem is not None:
                    complaints.append(str(verdict.problem.get("detail") or verdict.state))
                if verdict.state in set(Outcomes) and verdict.hash is not None:
                    await self._machines.outcome(bytes_of(verdict.hash), Outcomes(verdict.state))
                # The machines name again what is not over yet, at the next sync.
                self._machines.outbox.items.pop(place, None)
        return complaints

    async def _learn(self, server: Server) -> Known:
        keys = await server.keys()
        known = self._machines.known or await self._first(server, keys)
        if bytes_of(keys.root) != known.root:
            raise Refused(
                "root_changed",
                "The server shows another root key than the one this terminal trusts. Do not go"
                " on: ask the service.",
            )
        await self._machines.learn(bytes_of(keys.message))
        since = (self._machines.known or known).asks_since
        while True:
            news = await server.revocations(since)
            await self._machines.learn(bytes_of(news.message))
            if not news.more or news.epoch <= since:
                return self._machines.known or known
            since = news.epoch

    async def _first(self, server: Server, keys: Keys) -> Known:
        """Whom this terminal trusts from now on: the root that its server shows first."""
        message = bytes_of(keys.message)
        root = bytes_of(keys.root)
        try:
            if not Trust(root, None).learn(IssuerKeys.parse(message)):
                raise Offline("The server's keys are not signed by its root.")
            known = Known(root, message)
            news = await server.revocations(0)
            known = known.learn(Revocations.parse(bytes_of(news.message)))
        except Malformed as error:
            raise Offline(f"The server's keys cannot be read: {error}") from None
        await self._machines.take_known(known)
        return known

    async def _device(self, server: Server, access: str) -> str:
        device = self._fact("device")
        if not device:
            device = (await server.add_device(access, _DEVICE_NAME)).id
            await self._write(device=device)
        return device

    async def _token(self, server: Server) -> str:
        """An access token that works now."""
        if self._access:
            try:
                await server.me(self._access)
            except Refused:
                self._access = ""
        if not self._access:
            refresh = self._fact("refresh")
            if not refresh:
                raise Refused("not_signed_in", _NOT_SIGNED_IN)
            await self._signed_in(await server.refresh(refresh))
        return self._access

    def _server(self) -> Server:
        if not self.url:
            raise Offline(_NO_SERVER)
        return Server(self.url)

    def _fact(self, name: str) -> str:
        return (self._journal.read(Shelf.FACT, name.encode()) or b"").decode()

    async def _write(self, **facts: str | None) -> None:
        changes = [
            Change(Shelf.FACT, name.encode(), None if value is None else value.encode())
            for name, value in facts.items()
        ]
        await asyncio.to_thread(self._journal.write, *changes)


def _tips(passes: list[Issued]) -> dict[bytes, Tip]:
    """How far the service knows the chains of passes."""
    tips = {}
    for one in passes:
        id = ids.read_uuid(one.id)
        if id is not None and one.tip is not None:
            tips[id] = Tip(one.tip.sequence, bytes_of(one.tip.hash), one.tip.cumulative)
    return tips


def _ended(passes: list[Issued]) -> frozenset[bytes]:
    found = (ids.read_uuid(one.id) for one in passes if one.state != "open")
    return frozenset(id for id in found if id is not None)


def uploads(waiting: Mapping[bytes, Item]) -> Iterator[dict[bytes, Item]]:
    """What waits in parts of one upload each: no payment is without those that it passes on."""
    pays = {Pay.parse(item.pay).hash: place for place, item in waiting.items() if item.pay}
    part: dict[bytes, Item] = {}
    for place in waiting:
        together = {one: waiting[one] for one in _with_sources(place, waiting, pays)}
        if len(part | together) > _AT_ONCE:
            yield part
            part = {}
        part |= together
    if part:
        yield part


def _with_sources(
    place: bytes, waiting: Mapping[bytes, Item], pays: Mapping[bytes, bytes]
) -> list[bytes]:
    """Where the item and all that it passes on wait: some twenty, with what a chain may hold."""
    places = [place]
    for one in places:
        sources = (Pay.parse(waiting[one].pay).sources if waiting[one].pay else None) or ()
        places += [pays[hash] for hash in sources if hash in pays and pays[hash] not in places]
    return places[::-1]


def _written(item: Item) -> dict[str, str]:
    parts = {
        "invite": item.invite,
        "pay": item.pay,
        "receipt": item.receipt,
        "void": item.void,
        "close": item.close,
    }
    return {name: base64url.write(data) for name, data in parts.items() if data}
