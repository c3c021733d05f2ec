"""A redis-server of a test's own."""

import subprocess
from pathlib import Path

from tests.faults.installation import until
from tests.servers import free_port


class Redis:
    """Listens on loopback, and on a socket in a folder; can be ended and begun."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"redis://127.0.0.1:{free_port()}/0"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        port = self.url.rpartition(":")[2].removesuffix("/0")
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""),
                *("--unixsocket", str(self._socket)),
            ],
            stdout=subprocess.DEVNULL,
        )
        await until(self._socket.exists, 10, "redis-server listens")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def cli(self, *words: str) -> list[str]:
        """The command line that says `words` to it."""
        return ["redis-cli", "-s", str(self._socket), *words]
