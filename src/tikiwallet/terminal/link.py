"""A private conversation between two terminals over a local network.

1. Both send their certificate in the clear: self-signed, P-256, made at the terminal's start.
2. TLS 1.3; each side trusts exactly the certificate it was sent, so both prove their keys.
3. Six digits that both people compare, so that nobody sits in between (`short_string`): over both
   certificates' SHA-256, that of who called first.
4. Frames: 4 bytes length, 1 byte kind, body. Both sides ping each second; after 4 silent seconds
   the link counts as lost.

A link between the same two certificates that comes back needs no second comparison. A call among
the tills of a shop (`Hello.TILL`) has no digits: their passes prove who they are (`tills`).
"""

import asyncio
import contextlib
import enum
import hashlib
import os
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tikiwallet.terminal.short_string import NONCE_BYTES, Tries, commitment, digits

BODY_MOST: Final = 16 * 1024
_CERTIFICATE_MOST: Final = 1_024
_OPEN_SECONDS: Final = 10.0
_PING_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 4.0
_OPENING_MOST: Final = 8  # strangers that are being listened to at once
_FROM_ONE_MOST: Final = 4  # links with one address at once, whatever has come of them


class LinkLost(Exception):
    """The other terminal cannot be reached any more, or said what no terminal says."""


class Hello(bytes, enum.Enum):
    """What a call is for; who is called answers `TALK` to both."""

    TALK = b"TW1"
    TILL = b"TS1"


class Kind(enum.IntEnum):
    """What a frame holds."""

    COMMIT = 1
    NONCE = 2
    REVEAL = 3
    CONFIRMED = 4  # this side's person says that the digits agree
    MESSAGE = 5  # a signed offline message
    PING = 6
    HANG_UP = 7  # this side's person ended the conversation, or has another one
    PROOF = 8  # among tills: a pass, and its key's signature over both certificates
    TAKEN = 9  # among tills: payments that one of them took


class Frame(NamedTuple):
    kind: Kind
    body: bytes


class Certificate:
    """This terminal's key for links, for as long as the process lives."""

    def __init__(self, der: bytes, pem: bytes) -> None:
        self.der = der
        self.fingerprint = hashlib.sha256(der).digest()
        # `ssl` reads keys from files only; this one has no name and never reaches a disk.
        self._file = os.memfd_create("tikiwallet-link", os.MFD_CLOEXEC)
        os.write(self._file, pem)

    @classmethod
    def make(cls) -> Self:
        """A fresh one. It never ends, as the clocks it meets may be wrong by years."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tikiwallet terminal")])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return cls(
            certificate.public_bytes(serialization.Encoding.DER),
            secret + certificate.public_bytes(serialization.Encoding.PEM),
        )

    def context(self, *, server: bool, peer: bytes) -> ssl.SSLContext:
        """TLS 1.3 that shows this certificate and takes no other than `peer` (DER)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if server:
            context.num_tickets = 0
        context.load_verify_locations(cadata=peer)
        context.load_cert_chain(f"/proc/self/fd/{self._file}")
        return context

    def close(self) -> None:
        os.close(self._file)


class Link:
    """One open conversation. `digits` are for both people to compare, unless `peer`, the
    fingerprint of the other's certificate, was compared before."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: bytes,
        hello: Hello = Hello.TALK,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._pinging: asyncio.Task[None] | None = None
        self.peer = peer
        self.hello = hello
        self.digits = ""

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        """Raises `LinkLost`. That it returns does not mean that the other side has it."""
        if len(body) > BODY_MOST:
            raise ValueError(f"a frame holds {BODY_MOST} bytes, not {len(body)}")
        try:
            self._writer.write((len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body)
            async with asyncio.timeout(_SILENCE_SECONDS):
                await self._writer.drain()
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise _lost(error) from None

    async def receive(self) -> Frame:
        """The next frame that is no ping. Raises `LinkLost`."""
        while True:
            frame = await self._read(_SILENCE_SECONDS)
            if frame.kind is not Kind.PING:
                return frame

    async def _read(self, seconds: float) -> Frame:
        try:
            async with asyncio.timeout(seconds):
                length = int.from_bytes(await self._reader.readexactly(4), "big")
                if not 1 <= length <= BODY_MOST + 1:
                    raise LinkLost(f"the other terminal sent a frame of {length} bytes")
                data = await self._reader.readexactly(length)
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise _lost(error) from None
        try:
            return Frame(Kind(data[0]), data[1:])
        except ValueError:
            raise LinkLost("the other terminal sent a frame of no known kind") from None

    async def agree(self, own: bytes, tries: Tries | None = None) -> None:
        """Exchange nonces and work out the digits. `tries`: those of the side that was called; None
        when this side called."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        if tries is None:
            sides = own + self.peer
            await self.send(Kind.COMMIT, commitment(sides, nonce))
            other = await self._expect(Kind.NONCE)
            await self.send(Kind.REVEAL, nonce)
            self.digits = digits(sides, nonce, other)
        else:
            sides = self.peer + own
            committed = await self._expect(Kind.COMMIT)
            if tries.are_up:
                raise LinkLost("too many calls were broken off")
            with tries.one():
                await self.send(Kind.NONCE, nonce)
                other = await self._expect(Kind.REVEAL)
                if commitment(sides, other) != committed:
                    raise LinkLost("the other terminal changed its mind in the handshake")
            self.digits = digits(sides, other, nonce)

    def keep_alive(self) -> None:
        """Ping from now on."""
        self._pinging = asyncio.create_task(self._ping())

    async def _expect(self, kind: Kind) -> bytes:
        frame = await self._read(_OPEN_SECONDS)
        if frame.kind is not kind or len(frame.body) != NONCE_BYTES:
            raise LinkLost("the other terminal does not follow the handshake")
        return frame.body

    async def _ping(self) -> None:
        with contextlib.suppress(LinkLost):  # whoever receives learns it
            while True:
                await self.send(Kind.PING)
                await asyncio.sleep(_PING_SECONDS)

    def close(self) -> None:
        """At once, without waiting for the other side."""
        if self._pinging is not None:
            self._pinging.cancel()
        self._writer.transport.abort()


def _lost(error: Exception) -> LinkLost:
    if isinstance(error, TimeoutError):
        return LinkLost("the other terminal has fallen silent")
    if isinstance(error, asyncio.IncompleteReadError):
        return LinkLost("the other terminal has hung up")
    return LinkLost(f"the connection broke: {error}")


async def connect(
    certificate: Certificate, addresses: tuple[str, ...], port: int, hello: Hello = Hello.TALK
) -> Link:
    """A link to the first address that answers. Raises `LinkLost`."""
    last = LinkLost("the other terminal has no address")
    for address in addresses:
        try:
            return await _connect(certificate, address, port, hello)
        except LinkLost as lost:
            last = lost
    raise last


async def _connect(certificate: Certificate, address: str, port: int, hello: Hello) -> Link:
    try:
        [found, *_] = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        family, _, _, _, target = found
        connection = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise LinkLost(f"{address} is no address: {error}") from None
    return await _opened(certificate, connection, target, hello)


async def _opened(
    certificate: Certificate,
    connection: socket.socket,
    target: object | None,
    hello: Hello = Hello.TALK,
    tries: Tries | None = None,
) -> Link:
    """TLS and digits over a socket: as the one who connects to `target` with `hello`, or, where it
    is None, as the one who was connected to, whose `tries` are there."""
    link = None
    is_open = False
    connection.setblocking(False)
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            if target is not None:
                await asyncio.get_running_loop().sock_connect(connection, target)  # type: ignore[arg-type]
            said, peer = await _swap_certificates(certificate, connection, hello)
            if target is None:
                hello = said
            link = await _secured(certificate, connection, peer, hello, server=target is None)
            if hello is Hello.TALK:
                await link.agree(certificate.fingerprint, tries)
            link.keep_alive()
            is_open = True
            return link
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise _lost(error) from None
    finally:
        if not is_open:
            (link or connection).close()


async def _swap_certificates(
    certificate: Certificate, connection: socket.socket, hello: Hello
) -> tuple[Hello, bytes]:
    loop = asyncio.get_running_loop()
    own = certificate.der
    await loop.sock_sendall(connection, hello + len(own).to_bytes(2, "big") + own)
    head = await _exactly(connection, 5)
    length = int.from_bytes(head[3:], "big")
    said = next((one for one in Hello if one == head[:3]), None)
    if said is None or not 1 <= length <= _CERTIFICATE_MOST:
        raise LinkLost("what answers there is no terminal")
    return said, await _exactly(connection, length)


async def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = await asyncio.get_running_loop().sock_recv(connection, length - len(data))
        if not more:
            raise LinkLost("the other terminal has hung up")
        data += more
    return data


async def _secured(
    certificate: Certificate, connection: socket.socket, peer: bytes, hello: Hello, *, server: bool
) -> Link:
    loop = asyncio.get_running_loop()
    context = certificate.context(server=server, peer=peer)
    reader = asyncio.StreamReader(limit=2 * BODY_MOST)
    protocol = asyncio.StreamReaderProtocol(reader)
    if server:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=context, ssl_handshake_timeout=_OPEN_SECONDS
        )
    else:
        transport, _ = await loop.create_connection(
            lambda: protocol,
            sock=connection,
            ssl=context,
            server_hostname="",
            ssl_handshake_timeout=_OPEN_SECONDS,
        )
    link = Link(
        reader,
        asyncio.StreamWriter(transport, protocol, reader, loop),
        hashlib.sha256(peer).digest(),
        hello,
    )
    tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
    if tls.getpeercert(binary_form=True) != peer:
        link.close()
        raise LinkLost("the other terminal shows two certificates")
    return link


class Listener:
    """Takes calls from other terminals on one port, over IPv4 and IPv6. `on_link` returns when the
    link ends: an address has few at once, so that nobody keeps others away by being quiet."""

    def __init__(
        self,
        certificate: Certificate,
        on_link: Callable[[Link], Awaitable[None]],
        host: str = "",
        *,
        on_till: Callable[[Link], Awaitable[None]] | None = None,
    ) -> None:
        self._certificate = certificate
        self._on_call = {Hello.TALK: on_link, Hello.TILL: on_till or on_link}
        self._places = asyncio.Semaphore(_OPENING_MOST)
        self._calls: set[asyncio.Task[None]] = set()
        self._from: Counter[str] = Counter()
        self._tries = Tries()
        both = not host and socket.has_dualstack_ipv6()
        self._socket = socket.create_server(
            (host, 0),
            family=socket.AF_INET6 if both else socket.AF_INET,
            dualstack_ipv6=both,
        )
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._life = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            await self._places.acquire()
            try:
                connection, (address, *_) = await asyncio.get_running_loop().sock_accept(
                    self._socket
                )
            except OSError:  # gone before it was taken, or too many files: let others go first
                self._places.release()
                await asyncio.sleep(0.1)
                continue
            if self._from[address] >= _FROM_ONE_MOST:
                connection.close()
                self._places.release()
                continue
            self._from[address] += 1
            call = asyncio.create_task(self._answer(connection))
            self._calls.add(call)
            call.add_done_callback(partial(self._ended, address))

    def _ended(self, address: str, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._from[address] -= 1
        self._from += Counter()  # forget addresses without a link

    async def _answer(self, connection: socket.socket) -> None:
        try:
            link = await _opened(self._certificate, connection, None, tries=self._tries)
        except LinkLost:
            return  # somebody who is no terminal, or gave up
        finally:
            self._places.release()
        await self._on_call[link.hello](link)

    async def close(self) -> None:
        for task in (self._life, *self._calls):
            task.cancel()
        await asyncio.gather(self._life, *self._calls, return_exceptions=True)
        self._socket.close()
