"""The air between a phone and a terminal: a relay of datagrams that can be cut."""

import select
import socket
import threading
from typing import Self

_HOST = "127.0.0.1"
_LOOK_SECONDS = 0.2  # how soon it ends


class Relay:
    """Everything that comes to `port` goes on to `target`, and what answers comes back; while it
    is cut, nothing does."""

    def __init__(self, target: int) -> None:
        self._target = (_HOST, target)
        self._inside = self._bound()
        self._outside: dict[tuple[str, int], socket.socket] = {}
        self._thread = threading.Thread(target=self._carry)
        self._ended = False
        self.is_cut = False
        self.port: int = self._inside.getsockname()[1]

    def _bound(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((_HOST, 0))
        return made

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()
        for one in (self._inside, *self._outside.values()):
            one.close()

    def _carry(self) -> None:
        while not self._ended:
            back = {one: phone for phone, one in self._outside.items()}
            ready, _, _ = select.select([self._inside, *back], [], [], _LOOK_SECONDS)
            for one in ready:
                data, source = one.recvfrom(65_536)
                if one is self._inside:
                    if source not in self._outside:
                        self._outside[source] = self._bound()
                    self._go(self._outside[source], data, self._target)
                else:
                    self._go(self._inside, data, back[one])

    def _go(self, over: socket.socket, data: bytes, to: tuple[str, int]) -> None:
        if not self.is_cut:
            over.sendto(data, to)
