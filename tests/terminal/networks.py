"""Two machines joined by one cable, and nothing else: network namespaces and a veth pair."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def ip(*arguments: str) -> None:
    """Run `ip`; its complaint becomes the error."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Cable:
    """Joins the namespaces `left` and `right`, 10.77.0.1 and 10.77.0.2; there is no route out."""

    def __init__(self, left: str, right: str) -> None:
        self.left = left
        self.right = right

    def cut(self) -> None:
        """Pull it out: neither side hears the other."""
        ip("-n", self.left, "link", "set", "v0", "down")

    def heal(self) -> None:
        ip("-n", self.left, "link", "set", "v0", "up")


def run_in(namespace: str) -> list[str]:
    """What stands before a command that is to run there."""
    return ["ip", "netns", "exec", namespace]


@contextmanager
def cable() -> Iterator[Cable]:
    """Lay one, or skip the test, saying why. It comes without loopback neighbours or a gateway."""
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` (Debian: iproute2), so no network namespaces")
    made = Cable(f"tw-left-{os.getpid()}", f"tw-right-{os.getpid()}")
    try:
        try:
            _lay(made)
        except OSError as error:
            pytest.skip(f"network namespaces are not allowed here: {error}")
        yield made
    finally:
        for name in (made.left, made.right):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _lay(made: Cable) -> None:
    for name in (made.left, made.right):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", made.left, "link", "add", "v0", "type", "veth", "peer", "v0", "netns", made.right)
    for name, address in ((made.left, "10.77.0.1/24"), (made.right, "10.77.0.2/24")):
        ip("-n", name, "address", "add", address, "dev", "v0")
        ip("-n", name, "link", "set", "v0", "up")
