"""Our own load generator, for machines without wrk: a process that does nothing else.

`python -m tikiwallet.bench.generator LANES HOST PORT SECONDS WARMUP WORDS WIDTH` opens one
keep-alive connection per lane, sends the next request as soon as the answer to the last one is
complete, and prints one line of JSON. Only answers that arrive after the warm-up and before the end
count.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

import uvloop

from tikiwallet.bench.histogram import Histogram, bucket
from tikiwallet.bench.lanes import NO_WORDS, Fill, Lane, Words, read_lanes
from tikiwallet.bench.processes import say

_RECONNECT_SECONDS = 0.05


class Tally:
    """What all connections of one run count together."""

    def __init__(self, words: Words) -> None:
        self._words = words.text.encode()
        self._width = words.width
        self._at = 0
        self.histogram = Histogram()
        self.statuses: Counter[bytes] = Counter()
        self.broken = 0
        self.counting = False
        self.over = False

    def word(self) -> bytes:
        """The next word; after the last comes the first."""
        at = self._at
        self._at += self._width
        if self._at + self._width > len(self._words):
            self._at = 0
        return self._words[at : at + self._width]


class Connection(asyncio.Protocol):
    """One keep-alive connection that plays one lane until the tally is over."""

    def __init__(self, lane: Lane, tally: Tally, name: bytes) -> None:
        self._lane = lane
        self._tally = tally
        self._before = lane.before
        if lane.fill is Fill.NOTHING:
            self._before += lane.after
        elif lane.fill is Fill.NUMBER:
            self._before += name + b"-"
        self._number = 0
        self._sent_ns = 0
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only
        self._send(self._transport)

    def _send(self, transport: asyncio.Transport) -> None:
        self._sent_ns = time.perf_counter_ns()
        lane = self._lane
        if lane.fill is Fill.NOTHING:
            transport.write(self._before)
        elif lane.fill is Fill.NUMBER:
            self._number += 1
            transport.write(b"%b%d%b" % (self._before, self._number, lane.after))
        else:
            transport.write(self._before + self._tally.word() + lane.after)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        transport = self._transport
        assert transport is not None
        whole = answer_length(data)
        if whole is None or len(data) < whole:
            self._rest = data
            return
        self._rest = b""
        tally = self._tally
        if whole < 0:
            transport.abort()
            return
        if tally.counting:
            us = (time.perf_counter_ns() - self._sent_ns) // 1000
            tally.histogram.counts[bucket(us)] += 1
            tally.statuses[data[9:12]] += 1
        if tally.over:
            transport.close()
        else:
            self._send(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._tally.over:
            self._tally.broken += 1
        if not self.lost.done():
            self.lost.set_result(None)

    def close(self) -> None:
        """Hang up, whatever is still under way."""
        if self._transport is not None:
            self._transport.abort()


def answer_length(data: bytes) -> int | None:
    """Bytes of the HTTP answer that `data` begins with; None while its head is incomplete.

    -1 for what this client does not understand: not HTTP/1.1, or an answer without a length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    if not head.startswith(b"http/1.1 "):
        return -1
    if head[9:12] == b"204":
        return end + 4
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return -1
    stop = head.find(b"\r\n", at + 17)
    digits = (head[at + 17 :] if stop < 0 else head[at + 17 : stop]).strip()
    return end + 4 + int(digits) if digits.isdigit() else -1


async def _play(lane: Lane, name: str, tally: Tally, host: str, port: int) -> None:
    """Keep one lane busy; after a lost connection, open another under another name."""
    loop = asyncio.get_running_loop()
    attempt = 0
    while not tally.over:
        attempt += 1
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(lane, tally, f"{name}.{attempt}".encode()),  # noqa: B023
                host,
                port,
            )
        except OSError:
            tally.broken += 1
            await asyncio.sleep(_RECONNECT_SECONDS)
            continue
        try:
            await connection.lost
        finally:
            connection.close()
        if not tally.over:
            await asyncio.sleep(_RECONNECT_SECONDS)


async def play(
    lanes: list[Lane],
    host: str,
    port: int,
    seconds: float,
    warmup: float,
    *,
    words: Words = NO_WORDS,
) -> dict[str, object]:
    """Play all lanes for `warmup` and then `seconds`; what the process prints, as a dictionary."""
    tally = Tally(words)
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(_play(lane, str(index), tally, host, port))
        for index, lane in enumerate(lanes)
    ]
    await asyncio.sleep(warmup)
    tally.broken = 0
    tally.counting = True
    began = time.perf_counter_ns()
    await asyncio.sleep(seconds)
    tally.counting = False
    tally.over = True
    duration_us = (time.perf_counter_ns() - began) // 1000
    await asyncio.wait(tasks, timeout=1.0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "requests": tally.histogram.total,
        "duration_us": duration_us,
        "refused": sum(n for status, n in tally.statuses.items() if status >= b"400"),
        "broken": tally.broken,
        "p50_us": tally.histogram.percentile(0.50),
        "p99_us": tally.histogram.percentile(0.99),
        "statuses": {status.decode(): count for status, count in tally.statuses.items()},
    }


def main(arguments: list[str]) -> int:
    """The process: arguments as in the module's first lines."""
    path, host, port, seconds, warmup, text, width = arguments
    lanes = read_lanes(Path(path))
    words = Words(Path(text).read_text(), int(width))
    result = uvloop.run(play(lanes, host, int(port), float(seconds), float(warmup), words=words))
    say(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
