"""Phones reach the terminal over the local network: WebTransport (HTTP/3), a pinned certificate.

A phone opens a session and, for each exchange, one stream; over it goes what QR codes would carry,
as frames. Everything a stranger on the network can make this process hold is bounded: connections,
bytes and streams of a connection, messages that wait, time.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer, serve
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import (
    DataReceived,
    H3Event,
    HeadersReceived,
    WebTransportStreamDataReceived,
)
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import NetworkAddress, QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)

from tikiwallet import clock, logs
from tikiwallet.terminal.framed import Deframer, FrameRefused, Meeting, packed
from tikiwallet.terminal.link import Frame, Kind, LinkLost
from tikiwallet.terminal.pinned import PinnedCertificate, nearby_text
from tikiwallet.terminal.short_string import NONCE_BYTES, Tries, commitment, digits, phone_peer
from tikiwallet.terminal.webtransport_limits import Budget, Limits

PATH: Final = "/nearby"
_TOKEN: Final = b"webtransport"
_STREAM_CODE_BASE: Final = 0x52E4A40FA8DB  # codes of applications, as HTTP/3 carries them
_REFUSED, _STALLED, _BUSY, _FAILED = 1, 2, 3, 4  # what a phone is told when a stream is reset
_log = logs.get("terminal.webtransport")


class PhoneStalled(LinkLost):
    """Nothing came in time."""


class PhoneLink:
    """One exchange with a phone: a stream of its session. A `Conversation`."""

    def __init__(self, session: "_Session", stream_id: int) -> None:
        self.digits = ""
        self.peer = b""
        self._session = session
        self._stream_id = stream_id
        self._deframer = Deframer()
        self._inbox: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._over: LinkLost | None = None  # why nothing more comes
        self._closed = False

    async def agree(self) -> None:
        """Work out the digits: the phone connected, so it commits. With its nonce it reveals the
        secret that it comes back by. Raises `LinkLost`."""
        sides = self._session.certificate_hash
        committed = await self._expect(Kind.COMMIT, NONCE_BYTES)
        if self._session.tries.are_up:
            raise LinkLost("too many handshakes were broken off")
        nonce = secrets.token_bytes(NONCE_BYTES)
        with self._session.tries.one():
            await self.send(Kind.NONCE, nonce)
            both = await self._expect(Kind.REVEAL, 2 * NONCE_BYTES)
            revealed, secret = both[:NONCE_BYTES], both[NONCE_BYTES:]
            if not hmac.compare_digest(commitment(sides, revealed), committed):
                raise FrameRefused("the phone changed its mind in the handshake")
        self.digits = digits(sides, revealed, nonce)
        self.peer = phone_peer(sides, secret)

    async def _expect(self, kind: Kind, length: int) -> bytes:
        frame = await self._read(self._session.limits.arrival)
        if frame.kind is not kind or len(frame.body) != length:
            raise FrameRefused("the phone does not follow the handshake")
        return frame.body

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        """Hand over one frame. Raises `LinkLost`. That it returns does not mean that it arrived."""
        if self._closed or not self._session.is_open:
            raise self._over or LinkLost("the exchange with the phone is over")
        self._session.write(self._stream_id, packed(kind, body))

    async def receive(self) -> Frame:
        """The next frame that is no ping. Raises `LinkLost`, also after `Limits.quiet` seconds."""
        while True:
            frame = await self._read(self._session.limits.quiet)
            if frame.kind is not Kind.PING:
                return frame

    async def _read(self, seconds: float) -> Frame:
        try:
            async with asyncio.timeout(seconds):
                frame = await self._inbox.get()
        except TimeoutError:
            raise PhoneStalled("the phone has fallen silent") from None
        if frame is None:
            self._inbox.put_nowait(None)
            assert self._over is not None
            raise self._over
        return frame

    def close(self) -> None:
        """End our side; what was sent still arrives."""
        if not self._closed and self._session.is_open:
            self._session.write(self._stream_id, b"", end=True)
        self._closed = True

    def abort(self, code: int) -> None:
        """Break the stream off; the phone is told `code`."""
        if not self._closed and self._session.is_open:
            self._session.reset(self._stream_id, code)
        self._closed = True

    def feed(self, data: bytes, *, ended: bool) -> None:
        """What the phone sent on this stream."""
        if self._over is not None:
            return
        try:
            for frame in self._deframer.feed(data):
                if self._inbox.qsize() >= self._session.limits.waiting:
                    raise FrameRefused("the phone sent too much at once")
                self._inbox.put_nowait(frame)
        except FrameRefused as refused:
            self.end(refused)
            return
        if ended:
            within = "" if self._deframer.is_whole else " in the middle of a message"
            self.end(LinkLost(f"the phone has hung up{within}"))

    def end(self, why: LinkLost) -> None:
        """Nothing more comes; who waits is told, after what came before."""
        if self._over is None:
            self._over = why
            self._inbox.put_nowait(None)


class _Session(QuicConnectionProtocol):
    """One phone's connection, with at most one session on it."""

    def __init__(self, quic: QuicConnection, server: "WebTransportServer") -> None:
        super().__init__(quic)
        self._server = server
        self.limits = server.limits
        self.tries = server.tries
        self._budget = Budget(server.limits)
        self._http: H3Connection | None = None
        self._session_id: int | None = None
        self._links: dict[int, PhoneLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._active_at = self._loop.time()
        self.certificate_hash = server.certificate.hash
        self.is_open = True
        self._watch = self._loop.call_later(self.limits.arrival, self._look)
        self._welcome = server.admit(self)

    def datagram_received(self, data: bytes | str, addr: NetworkAddress) -> None:
        """Everything a peer can do begins here, so nothing that it does ends the server."""
        try:
            super().datagram_received(data, addr)
            if not self._welcome:
                self.give_up(ErrorCode.H3_REQUEST_REJECTED)
            # aioquic opens its windows by the highest offset seen, read or not.
            elif self._quic._local_max_data.used > self.limits.bytes:
                self.give_up(ErrorCode.H3_EXCESSIVE_LOAD)
        except Exception:
            _log.exception("a datagram could not be handled")
            with suppress(Exception):
                self.give_up(ErrorCode.H3_INTERNAL_ERROR)
            self._end_all()

    def quic_event_received(self, event: QuicEvent) -> None:
        """What aioquic made of it."""
        match event:
            case ProtocolNegotiated():
                self._http = H3Connection(self._quic, enable_webtransport=True)
            case ConnectionTerminated():
                self._end_all()
                return
            case StreamDataReceived() if not self._budget.allows(event):
                self.give_up(ErrorCode.H3_EXCESSIVE_LOAD)
                return
            case StreamReset() | StopSendingReceived():
                self._lose(event.stream_id)
            case _:
                pass
        if self._http is not None and self.is_open:
            for heard in self._http.handle_event(event):
                self._hear(heard)

    def _hear(self, event: H3Event) -> None:
        match event:
            case HeadersReceived():
                self._answer(event)
            case DataReceived(stream_id=stream_id, stream_ended=True):
                if stream_id == self._session_id:
                    self.give_up(ErrorCode.H3_NO_ERROR)
            case WebTransportStreamDataReceived():
                self._budget.note_exchange(event.stream_id)
                self._carry(event)
            case _:
                pass

    def _answer(self, event: HeadersReceived) -> None:
        assert self._http is not None
        status = self._status_for(dict(event.headers))
        if status == 200 and not event.stream_ended:
            self._session_id = event.stream_id
            headers = [(b":status", b"200"), (b"sec-webtransport-http3-draft", b"draft02")]
            self._http.send_headers(event.stream_id, headers)
        else:
            refusal = [(b":status", str(status).encode())]
            self._http.send_headers(event.stream_id, refusal, end_stream=True)

    def _status_for(self, asked: dict[bytes, bytes]) -> int:
        if asked.get(b":method") != b"CONNECT" or asked.get(b":protocol") != _TOKEN:
            return 405
        if asked.get(b":path") != PATH.encode():
            return 404
        if asked.get(b"origin") != self._server.origin.encode():
            return 403
        return 200 if self._session_id is None else 429

    def _carry(self, event: WebTransportStreamDataReceived) -> None:
        link = self._links.get(event.stream_id)
        if link is None:
            if event.stream_id % 4 or event.session_id != self._session_id:
                self.reset(event.stream_id, _REFUSED)
                return
            if self._budget.is_known(event.stream_id):
                return  # the rest of an exchange that is over
            self._budget.begin(event.stream_id)
            if len(self._links) >= self.limits.exchanges:
                self.reset(event.stream_id, _BUSY)
                return
            link = self._links[event.stream_id] = PhoneLink(self, event.stream_id)
            task = self._loop.create_task(self._meet(link, event.stream_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._active_at = self._loop.time()
        link.feed(event.data, ended=event.stream_ended)

    async def _meet(self, link: PhoneLink, stream_id: int) -> None:
        try:
            async with asyncio.timeout(self.limits.exchange):
                await link.agree()
                await self._server.meeting.meet(link)
            link.close()
        except FrameRefused as trouble:
            _log.info("a phone's exchange was refused", reason=str(trouble))
            link.abort(_REFUSED)
        except (PhoneStalled, TimeoutError):
            link.abort(_STALLED)
        except LinkLost:
            link.abort(_FAILED)
        except Exception:
            _log.exception("an exchange with a phone failed")
            link.abort(_FAILED)
        finally:
            self._links.pop(stream_id, None)
            self._active_at = self._loop.time()

    def _look(self) -> None:
        """Now and then: end what is idle, and keep a phone whose person is reading the screen."""
        if not self.is_open:
            return
        idle = self._loop.time() - self._active_at
        if self._session_id is None or (not self._links and idle >= self.limits.idle):
            self.give_up(ErrorCode.H3_NO_ERROR)
            return
        self._quic.send_ping(0)
        self.transmit()
        self._watch = self._loop.call_later(self.limits.arrival, self._look)

    def write(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Send on a stream."""
        self._quic.send_stream_data(stream_id, data, end_stream=end)
        self._transmit_soon()

    def reset(self, stream_id: int, code: int) -> None:
        """Break a stream off, in the directions that it has."""
        wire = _STREAM_CODE_BASE + code
        with suppress(ValueError):
            self._quic.stop_stream(stream_id, wire)
        if stream_id % 4 == 0:
            self._quic.reset_stream(stream_id, wire)
        self._transmit_soon()

    def give_up(self, code: int) -> None:
        """Close the connection, and with it all of its exchanges."""
        self.close(error_code=code)
        self._end_all()

    def _lose(self, stream_id: int) -> None:
        if stream_id == self._session_id:
            self.give_up(ErrorCode.H3_NO_ERROR)
        elif (link := self._links.get(stream_id)) is not None:
            link.end(LinkLost("the phone broke the exchange off"))

    def _end_all(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._watch.cancel()
        self._server.dismiss(self)
        for link in list(self._links.values()):
            link.end(LinkLost("the phone is gone"))

    async def finished(self) -> None:
        """Wait until no exchange of this connection runs any more."""
        if self._tasks:
            await asyncio.wait(self._tasks)


class WebTransportServer:
    """Listens on one local address. `origin` is where the phone app comes from: pages of others
    are refused. The certificate is renewed in time; `text` is always for the one in use."""

    def __init__(
        self,
        meeting: Meeting,
        *,
        public_url: str,
        limits: Limits | None = None,
        now_us: Callable[[], int] = clock.now_us,
    ) -> None:
        self.meeting = meeting
        self.origin = public_url.rstrip("/")
        self.limits = limits or Limits()
        self.tries = Tries()
        self._now_us = now_us
        self._sessions: set[_Session] = set()
        self._server: QuicServer | None = None

    async def start(self, host: str, port: int = 0) -> None:
        """Listen on the IP address `host`. Raises `OSError` where that cannot be."""
        self._host = host
        self.certificate = PinnedCertificate.make(host, self._now())
        self._configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=H3_ALPN,
            certificate=self.certificate.certificate,
            private_key=self.certificate.key,
            idle_timeout=self.limits.lost,
            max_data=self.limits.bytes // 4,
            max_stream_data=self.limits.bytes // 8,
            max_datagram_frame_size=1200,  # HTTP/3 datagrams: browsers ask for them, nobody sends
        )
        self._server = await serve(
            host,
            port,
            configuration=self._configuration,
            create_protocol=lambda quic, **_: _Session(quic, self),
            retry=True,
        )
        assert self._server._transport is not None
        self._port: int = self._server._transport.get_extra_info("sockname")[1]

    @property
    def text(self) -> str:
        """What the QR code on the terminal's screen says."""
        return nearby_text(self.origin, self._host, self._port, self.certificate.hash)

    def renew(self) -> bool:
        """Another certificate when the one in use is due; True when `text` changed. For a timer of
        some hours; open sessions go on."""
        if not self.certificate.is_due(self._now()):
            return False
        self.certificate = PinnedCertificate.make(self._host, self._now())
        self._configuration.certificate = self.certificate.certificate
        self._configuration.private_key = self.certificate.key
        return True

    async def stop(self) -> None:
        """Close all sessions and wait for their exchanges to notice."""
        if self._server is None:
            return
        sessions = list(self._sessions)
        for session in sessions:
            session.give_up(ErrorCode.H3_NO_ERROR)
        self._server.close()
        self._server = None
        for session in sessions:
            await session.finished()

    def admit(self, session: _Session) -> bool:
        """Whether there is room for one more."""
        self._sessions.add(session)
        return len(self._sessions) <= self.limits.sessions

    def dismiss(self, session: _Session) -> None:
        """A connection is over."""
        self._sessions.discard(session)

    def _now(self) -> datetime:
        return clock.from_us(self._now_us())
