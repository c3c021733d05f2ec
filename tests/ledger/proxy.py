"""A man in the middle between a writer and its PostgreSQL, who can hang up at the worst moment."""

import asyncio
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

Moment = Literal["before the commit", "after the commit"]
_SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Passes everything on, until armed: then the next COPY loses its connection, either before
    the server hears that it is complete, or after the server committed and before its answer."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        self._server = Path(parse_qs(parts.query)["host"][0]) / f".s.PGSQL.{parts.port or 5432}"
        self._folder = folder
        self.dsn = parts._replace(
            netloc=f"{parts.username}:{parts.password}@",
            query=f"host={quote(str(folder), safe='')}",
        ).geturl()
        self._armed: Moment | None = None
        self.cut = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    def arm(self, moment: Moment) -> None:
        """Hang up during the next COPY."""
        self._armed = moment
        self.cut.clear()

    async def __aenter__(self) -> "Proxy":
        self._listener = await asyncio.start_unix_server(self._serve, str(self._folder / _SOCKET))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in list(self._pumps):
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        try:
            answers, server = await asyncio.open_unix_connection(str(self._server))
        except OSError:
            writer.close()
            return
        losing = asyncio.Event()
        pumps = [
            asyncio.create_task(self._ask(reader, server, losing)),
            asyncio.create_task(self._answer(answers, writer, losing)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in (server, writer):
                side.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        head = await reader.readexactly(4)
        server.write(head + await reader.readexactly(int.from_bytes(head, "big") - 4))
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            if head[:1] == b"c" and self._armed is not None:
                moment, self._armed = self._armed, None
                if moment == "before the commit":
                    self.cut.set()
                    return
                losing.set()
            server.write(head + body)
            await server.drain()

    async def _answer(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while True:
            head = await answers.readexactly(1)
            length = await answers.readexactly(4)
            body = await answers.readexactly(int.from_bytes(length, "big") - 4)
            if losing.is_set():
                if head == b"C":
                    self.cut.set()
                    return
                continue
            writer.write(head + length + body)
            await writer.drain()
