"""`tikiwallet terminal --headless` as a process, worked by a test."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 60.0  # a machine may be busy
Event = dict[str, Any]


class Device:
    """A running terminal. `expect` waits for an event, passing over others; what it passed over is
    kept in `heard`."""

    def __init__(self, folder: Path, before: Sequence[str] = (), *arguments: str) -> None:
        self.heard: list[Event] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [
                *before,
                *(sys.executable, "-m", "tikiwallet", "terminal", "--headless"),
                *("--data", str(folder), *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def expect(self, event: str, wanted: Callable[[Event], bool] = lambda _: True) -> Event:
        """The next event of this name that is as wanted."""
        passed: list[Event] = []
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                raise AssertionError(f"waited for {event} in vain; came: {passed}") from None
            assert line, f"the terminal ended; came: {passed}"
            heard = json.loads(line)
            self.heard.append(heard)
            if heard["event"] == event and wanted(heard):
                return dict(heard)
            passed.append(heard)

    def say(self, command: str, **arguments: Any) -> None:
        """Give a command, without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self.process.stdin.flush()

    def do(self, command: str, **arguments: Any) -> Any:
        """Give a command; its result once it is done."""
        self.say(command, **arguments)
        answer = self.expect("done", lambda e: e["do"] == command)
        return answer.get("result")

    def shows(self, view: str) -> Event:
        """Wait until it shows this."""
        return self.expect("show", lambda e: e["view"] == view)

    def is_in(self, phase: str) -> Event:
        """Wait until its line is in this phase."""
        return self.expect("line", lambda e: e["phase"] == phase)

    def leave(self) -> int:
        """End it in order; its exit code."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self.process.stdin.close()
        code = self.process.wait(timeout=SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        """As a loss of power."""
        self.process.kill()
        self.leave()


@contextmanager
def device(folder: Path, before: Sequence[str] = (), *arguments: str) -> Iterator[Device]:
    """A terminal for the length of a `with`."""
    made = Device(folder, before, *arguments)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()
