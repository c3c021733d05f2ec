"""A writer in a process of its own, with its socket: what tests stop, continue and kill.

Arguments: database URL, socket path, seconds of lease. Prints `leading` when it begins to lead.
"""

import asyncio
import sys
from pathlib import Path

from tikiwallet.ledger.link_server import LinkServer
from tikiwallet.ledger.term import TermOptions
from tikiwallet.ledger.writer import Writer


async def main(dsn: str, socket: str, lease: str) -> None:
    """Lead until killed."""
    writer = Writer(TermOptions(dsn, lease_seconds=float(lease)))
    server = LinkServer(writer, Path(socket))
    await writer.start()
    await server.start()
    await writer.leading.wait()
    print("leading", flush=True)  # noqa: T201 - whoever started this process waits for it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
