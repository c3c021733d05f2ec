"""A program that announces a name and prints, as JSON, each change of what it finds: NAME PORT."""

import asyncio
import json
import secrets
import sys

from tikiwallet.terminal.discovery import Discovery, Peer


async def main(name: str, port: int) -> None:
    def changed(peers: dict[str, Peer]) -> None:
        print(json.dumps([[p.name, p.port, p.addresses] for p in peers.values()]), flush=True)  # noqa: T201

    discovery = Discovery(secrets.token_hex(8), name, port, changed)
    discovery.start()
    await asyncio.to_thread(sys.stdin.read)  # until whoever started it lets go
    await discovery.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
