"""The terminal's own Wi-Fi network, while it has one (`wifi_direct`): opened, closed, or gone."""

import asyncio
from collections.abc import Awaitable, Callable

from tikiwallet.terminal.wifi_direct import Group, GroupOwner


class OwnNetwork:
    """`gone` is awaited when the network ended without having been closed."""

    def __init__(self, gone: Callable[[], Awaitable[None]]) -> None:
        self._gone = gone
        self._turn = asyncio.Lock()
        self._owner: GroupOwner | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def group(self) -> Group | None:
        """What phones join; None while there is none."""
        return self._owner.group if self._owner else None

    async def open(self) -> Group:
        """The network, made where there is none. Raises `NoWifiDirect`."""
        async with self._turn:
            if self._owner is None:
                self._owner = await GroupOwner.create()
                self._watch = asyncio.create_task(self._wait(self._owner))
            return self._owner.group

    async def close(self) -> None:
        """End it, where there is one."""
        async with self._turn:
            owner, self._owner = self._owner, None
            if self._watch is not None:
                self._watch.cancel()
            if owner is not None:
                await owner.remove()

    async def _wait(self, owner: GroupOwner) -> None:
        await owner.ended.wait()
        async with self._turn:
            self._owner = None
            await owner.remove()
        await self._gone()
