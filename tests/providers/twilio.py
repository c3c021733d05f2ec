"""Starts the stand-in for Twilio, and talks to it behind the product's back."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.providers.twilio_peer import SID, TOKEN

from tikiwallet.providers.twilio import TwilioAccount

SENDER = "+15005550006"


@dataclass(frozen=True)
class Twilio:
    """The peer, at `url`."""

    url: str

    def account(self, **changes: str) -> TwilioAccount:
        return TwilioAccount(
            **{"sid": SID, "token": TOKEN, "sender": SENDER, "url": self.url, **changes}
        )

    def will(self, *scripts: dict[str, Any]) -> None:
        """How the next calls that send end, one after the other."""
        self._control(scripts=list(scripts))

    def be_down(self, down: bool = True) -> None:
        """Hang up on everybody, or no longer."""
        self._control(down=down)

    def release(self) -> None:
        """Let go of calls that hang."""
        self._control(release=True)

    def seen(self) -> dict[str, Any]:
        """`messages` (newest first), `calls`, `lookups`, and what was `wrong` with requests."""
        answer = httpx.get(f"{self.url}/control", trust_env=False)
        told: dict[str, Any] = answer.json()
        assert told["wrong"] == []
        return told

    def _control(self, **wanted: object) -> None:
        assert httpx.post(f"{self.url}/control", json=wanted, trust_env=False).status_code == 200


@contextmanager
def running_twilio(port: int = 0) -> Iterator[Twilio]:
    """A fresh peer, on any port if none is given; ends with the block."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("twilio_peer.py")), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Twilio(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.kill()
