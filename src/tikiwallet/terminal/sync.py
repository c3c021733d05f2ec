"""What a terminal does when there is internet: signs in, registers itself, fetches a pass, uploads
what has not settled, and takes the issuer's keys and revocations.

Every step can be cut off anywhere and done again: the device and the pass are asked for under keys
that are in the journal before, and an upload that came twice changes nothing.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from tikiwallet.offline.exchange.effects import Item, Outcomes
from tikiwallet.offline.exchange.keeping import kept, written
from tikiwallet.offline.known import Known
from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import IssuerKeys, Pass, Revocations
from tikiwallet.offline.wire.trust import Trust
from tikiwallet.terminal.journal import Change, Journal, Shelf
from tikiwallet.terminal.machines import Machines
from tikiwallet.terminal.server import Keys, Offline, Refused, Server, Tokens, bytes_of, text_of

_DEVICE_NAME: Final = "Terminal"
_AT_ONCE: Final = 100  # items of an upload
_KEY_DOMAIN: Final = b"tikiwallet/offline/1/key\0"
_NO_SERVER: Final = "No server was named: start with --server URL."
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
        self._pending_phone = phone
        async with self._server() as server:
            try:
                await self._signed_in(await server.sign_in(phone, password))
            except Refused as refused:
                if refused.challenge is None:
                    raise
                self._challenge = refused.challenge
                return False
        return True

    async def second_factor(self, code: str) -> None:
        """The code of the sign-in that was begun."""
        async with self._server() as server:
            await self._signed_in(await server.second_factor(self._challenge, code))

    async def _signed_in(self, tokens: Tokens) -> None:
        self._challenge = ""
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
                "key": text_of(wanted.key),
                "proof": text_of(key.sign(_KEY_DOMAIN + device.encode())),
            }
            if pin:
                body["pin"] = pin
            issued = await server.issue(access, wanted.key.hex(), body)
            if not issued.message:
                raise Offline("The pass is being made; ask again in a moment.")
            message = bytes_of(issued.message)
            self._check_pass(known, message, wanted)
            await self._machines.take_pass(known, message)
            await self._write(wanted=None)

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

    async def run(self) -> None:
        """Upload, and learn."""
        if not self.url:
            raise Offline(_NO_SERVER)
        async with self._calling, self._server() as server:
            access = await self._token(server)
            await self._learn(server)
            await self._machines.synced(int(time.time()))
            await self._upload(server, access)

    async def _upload(self, server: Server, access: str) -> None:
        waiting = self._machines.outbox.items
        for begin in range(0, len(waiting), _AT_ONCE):
            part = list(waiting.items())[begin : begin + _AT_ONCE]
            verdicts = await server.settle(access, [_written(item) for _, item in part])
            for verdict in verdicts:
                if verdict.state in set(Outcomes):
                    hash = bytes_of(verdict.hash)
                    await self._machines.outcome(hash, Outcomes(verdict.state))
        waiting.clear()  # the machines name again what is not over yet, at the next sync

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
        while True:
            before = (self._machines.known or known).epoch
            news = await server.revocations(before)
            await self._machines.learn(bytes_of(news.message))
            known = self._machines.known or known
            if known.epoch >= news.epoch or known.epoch == before:
                return known

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
        """An access token; the refresh token is spent once, so the next is kept before it is
        used."""
        refresh = self._fact("refresh")
        if not refresh:
            raise Refused("not_signed_in", _NOT_SIGNED_IN)
        if not self._access:
            await self._signed_in(await server.refresh(refresh))
        try:
            await server.me(self._access)
        except Refused:
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


def _written(item: Item) -> dict[str, str]:
    parts = {
        "invite": item.invite,
        "pay": item.pay,
        "receipt": item.receipt,
        "void": item.void,
        "close": item.close,
    }
    return {name: text_of(data) for name, data in parts.items() if data}
