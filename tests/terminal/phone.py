"""A phone without a browser: WebTransport by aioquic's client, which can also misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
    StreamDataReceived,
    StreamReset,
)

from tikiwallet.terminal.framed import Deframer, packed
from tikiwallet.terminal.link import Frame, Kind
from tikiwallet.terminal.short_string import commitment, digits


class Phone(QuicConnectionProtocol):
    """One connection. `code` is why it ended, once it did."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.http: H3Connection | None = None
        self.session = 0
        self.status: asyncio.Future[int] = self._loop.create_future()
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()
        self.code: int | None = None
        self._streams: dict[int, asyncio.Queue[bytes | int | None]] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        match event:
            case ProtocolNegotiated():
                self.http = H3Connection(self._quic, enable_webtransport=True)
            case HandshakeCompleted():
                self.connected.set()
            case ConnectionTerminated():
                self.code = event.error_code
                self.connected.set()
                self.ended.set()
                if not self.status.done():
                    self.status.set_result(0)
                for queue in self._streams.values():
                    queue.put_nowait(None)
            case StreamReset() if event.stream_id in self._streams:
                self._streams[event.stream_id].put_nowait(event.error_code - 0x52E4A40FA8DB)
            case StreamDataReceived() if event.stream_id in self._streams:
                # aioquic would look for HTTP/3's frames in what its own stream brings back.
                if event.data:
                    self._streams[event.stream_id].put_nowait(event.data)
                if event.end_stream:
                    self._streams[event.stream_id].put_nowait(None)
                return
            case _:
                pass
        for heard in self.http.handle_event(event) if self.http else ():
            if isinstance(heard, HeadersReceived) and not self.status.done():
                self.status.set_result(int(dict(heard.headers)[b":status"]))

    async def ask(self, origin: str, path: str = "/nearby", method: str = "CONNECT") -> int:
        """Ask for a session; its status, or 0 when the connection was closed instead."""
        assert self.http is not None
        self.status = self._loop.create_future()
        self.session = self._quic.get_next_available_stream_id()
        asked = {
            ":method": method,
            ":scheme": "https",
            ":authority": "terminal",
            ":path": path,
            ":protocol": "webtransport",
            "origin": origin,
        }
        self.http.send_headers(
            self.session, [(name.encode(), value.encode()) for name, value in asked.items()]
        )
        self.transmit()
        async with asyncio.timeout(5):
            return await self.status

    def stream(self) -> int:
        """A new stream of the session."""
        assert self.http is not None
        stream_id = self.http.create_webtransport_stream(self.session)
        self._streams[stream_id] = asyncio.Queue()
        return stream_id

    def say(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self._quic.send_stream_data(stream_id, data, end_stream=end)
        self.transmit()

    async def hear(self, stream_id: int) -> bytes | int | None:
        """Some bytes; the code of a reset; None at the end."""
        async with asyncio.timeout(10):
            return await self._streams[stream_id].get()


class PhonesLink:
    """The phone's end of one exchange."""

    def __init__(self, phone: Phone, certificate_hash: bytes, secret: bytes = b"\1" * 32) -> None:
        self._phone = phone
        self._sides = certificate_hash
        self._secret = secret
        self._deframer = Deframer()
        self._frames: list[Frame] = []
        self.stream_id = phone.stream()
        self.digits = ""

    async def agree(self) -> None:
        own = b"\7" * 32
        self.send(Kind.COMMIT, commitment(self._sides, own))
        answer = await self.receive()
        assert answer.kind is Kind.NONCE
        self.send(Kind.REVEAL, own + self._secret)
        self.digits = digits(self._sides, own, answer.body)

    def send(self, kind: Kind, body: bytes) -> None:
        self._phone.say(self.stream_id, packed(kind, body))

    async def receive(self) -> Frame:
        while not self._frames:
            data = await self._phone.hear(self.stream_id)
            assert isinstance(data, bytes), data
            self._frames += self._deframer.feed(data)
        return self._frames.pop(0)


@asynccontextmanager
async def phone_at(port: int) -> AsyncIterator[Phone]:
    """A phone that believes any certificate, connected or refused."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        verify_mode=ssl.CERT_NONE,
        max_datagram_frame_size=1200,
    )
    async with connect(
        "127.0.0.1",
        port,
        configuration=configuration,
        create_protocol=Phone,
        wait_connected=False,
    ) as phone:
        assert isinstance(phone, Phone)
        phone.transmit()
        async with asyncio.timeout(10):
            await phone.connected.wait()
        yield phone
