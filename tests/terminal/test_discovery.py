"""Terminals find each other on a cable with no router, and survive what others send there."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.terminal.networks import Cable, cable, run_in

from tikiwallet.terminal.discovery import NAME_BYTES, SERVICE, Peer, clean_name, read_peer

GARBAGE = """
import random, socket, sys, time
chance = random.Random(int(sys.argv[1]))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[2]))

def name(*labels):
    return b"".join(bytes([len(l)]) + l for l in labels) + b"\\0"

service = name(b"_tikiwallet", b"_tcp", b"local")
def record(owner, kind, body, length=None):
    length = len(body) if length is None else length
    return owner + kind.to_bytes(2, "big") + b"\\0\\1\\0\\0\\0\\x78" + length.to_bytes(2, "big") + body

for n in range(600):
    label = chance.choice([b"evil%d" % n, chance.randbytes(8), b"\\xff\\xfe", b"a" * 63])
    mine = name(label, b"_tikiwallet", b"_tcp", b"local")
    answers = [
        record(service, 12, mine),
        record(mine, 33, b"\\0\\0\\0\\0" + chance.randbytes(2) + mine, chance.choice([None, 0, 65535])),
        record(mine, 16, chance.choice([b"\\x05v=1", b"\\x03v=1\\xffname=", chance.randbytes(300), b""])),
        record(mine, 1, chance.randbytes(chance.choice([4, 3, 0]))),
        record(b"\\xc0\\x0c", 12, b"\\xc0\\x0c"),
    ]
    packet = b"\\0\\0\\x84\\0\\0\\0" + chance.choice([b"\\0\\5", b"\\xff\\xff"]) + bytes(4) + b"".join(answers)
    if n % 3 == 0:
        spoilt = bytearray(packet)
        for _ in range(chance.randrange(1, 9)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        packet = bytes(spoilt)
    if n % 7 == 0:
        packet = chance.randbytes(chance.randrange(1400))
    out.sendto(packet[:1400], ("224.0.0.251", 5353))
    time.sleep(0.001)
"""  # noqa: E501 - packets


class Announcer:
    """`announcer.py` in a namespace, and what it found last."""

    def __init__(self, namespace: str, name: str, port: int) -> None:
        self.process = subprocess.Popen(
            [*run_in(namespace), sys.executable, "-m", "tests.terminal.announcer", name, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finds(self, wanted: Callable[[list[Any]], bool]) -> list[Any]:
        """What it finds, once that is as wanted; the test's time-out ends a wait in vain."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if wanted(found := json.loads(line)):
                return list(found)
        raise AssertionError("the announcer ended")

    def leave(self) -> str:
        """What it complained of."""
        complaints = self.process.communicate()[1]
        assert self.process.returncode == 0
        return complaints


@contextmanager
def announcer(namespace: str, name: str, port: int) -> Iterator[Announcer]:
    made = Announcer(namespace, name, port)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.leave()


@pytest.fixture
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


def at(address: str) -> Callable[[list[Any]], bool]:
    """An interface is up a moment after it was plugged in, so addresses come in turn."""
    return lambda found: any(address in peer[2] for peer in found)


def named(name: str) -> Callable[[list[Any]], bool]:
    return lambda found: any(peer[0] == name for peer in found)


def test_two_terminals_find_each_other_and_notice_who_leaves(wire: Cable) -> None:
    with announcer(wire.left, "Toko Sari", 4001) as left:
        with announcer(wire.right, "चाय की दुकान", 4002) as right:
            started = time.monotonic()
            [[name, port, _]] = right.finds(at("10.77.0.1"))
            print(f"found after {time.monotonic() - started:.2f} s")  # noqa: T201 - a measurement
            assert (name, port) == ("Toko Sari", 4001)
            [[name, port, _]] = left.finds(at("10.77.0.2"))
            assert (name, port) == ("चाय की द", 4002)  # 20 bytes of it, cut between letters
            assert right.leave() == ""
        assert left.finds(lambda found: not found) == []
        assert left.leave() == ""


def test_malformed_answers_disturb_nobody(wire: Cable) -> None:
    with announcer(wire.left, "Toko Sari", 4001) as left:
        for seed in range(3):
            command = [sys.executable, "-c", GARBAGE, str(seed), "10.77.0.2"]
            subprocess.run([*run_in(wire.right), *command], check=True)
        with announcer(wire.right, "Warung", 4002):
            left.finds(named("Warung"))
        assert left.leave() == ""


def test_a_cable_plugged_in_later_is_noticed(wire: Cable) -> None:
    wire.cut()
    with announcer(wire.left, "Toko Sari", 4001) as left, announcer(wire.right, "Warung", 4002):
        wire.heal()
        left.finds(named("Warung"))


ID = f"0123456789abcdef.{SERVICE}"
GOOD = {b"v": b"1", b"name": b"Toko"}


def test_an_answer_is_read() -> None:
    assert read_peer(ID, GOOD, ["10.0.0.1", "fe80::1%2"], 4001) == Peer(
        "0123456789abcdef", "Toko", ("10.0.0.1", "fe80::1%2"), 4001
    )


@pytest.mark.parametrize(
    ("instance", "properties", "addresses", "port"),
    [
        (ID, {}, ["10.0.0.1"], 4001),
        (ID, GOOD | {b"v": b"2"}, ["10.0.0.1"], 4001),
        (ID, GOOD | {b"name": None}, ["10.0.0.1"], 4001),
        (ID, GOOD | {b"name": b"\xff"}, ["10.0.0.1"], 4001),
        (ID, GOOD | {b"name": b"\0\n"}, ["10.0.0.1"], 4001),
        (ID, GOOD, [], 4001),
        (ID, GOOD, ["224.0.0.1", "0.0.0.0", "fe80::1", "nowhere"], 4001),  # noqa: S104
        (ID, GOOD, ["10.0.0.1"], 0),
        (ID, GOOD, ["10.0.0.1"], None),
        (f"a b.{SERVICE}", GOOD, ["10.0.0.1"], 4001),
        (f".{SERVICE}", GOOD, ["10.0.0.1"], 4001),
    ],
)
def test_what_describes_no_terminal_is_passed_over(
    instance: str, properties: dict[bytes, bytes | None], addresses: list[str], port: int | None
) -> None:
    assert read_peer(instance, properties, addresses, port) is None


@given(st.binary(max_size=300) | st.text(max_size=80).map(str.encode))
def test_names_are_fit_to_be_shown(raw: bytes) -> None:
    name = clean_name(raw)
    if name is not None:
        assert 0 < len(name.encode()) <= NAME_BYTES
        assert name.isprintable()
        assert clean_name(name.encode()) == name


def test_names_cannot_turn_the_screen_around() -> None:
    assert clean_name("Toko\u202eiraS\x1b[2J\n".encode()) == "TokoiraS[2J"
