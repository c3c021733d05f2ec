"""Two terminals on one cable, with no route to anywhere: they find each other, pay, and lose and
find the cable in the middle."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.terminal.devices import Device, device
from tests.terminal.networks import Cable, cable, run_in
from tests.terminal.shops import BUDI, SARI, Issuer, set_up


class Town:
    """Toko Sari on the left and Budi on the right; each has INR 50.00 on a pass."""

    def __init__(self, wire: Cable, folder: Path, stack: ExitStack) -> None:
        self.wire = wire
        self.folder = folder
        self._stack = stack
        self.sari = self.start("sari", wire.left)
        self.budi = self.start("budi", wire.right)

    def start(self, name: str, namespace: str) -> Device:
        made = self._stack.enter_context(device(self.folder / name, run_in(namespace)))
        made.expect("started")
        return made

    def meet(self) -> None:
        """Sari calls Budi, and both people say that the digits agree."""
        found = self.sari.expect("peers", lambda e: any(p["name"] == "Budi" for p in e["peers"]))
        [peer] = [p for p in found["peers"] if p["name"] == "Budi"]
        self.sari.do("call", peer=peer["id"])
        digits = [one.is_in("comparing")["digits"] for one in (self.sari, self.budi)]
        assert digits[0] == digits[1]
        for one in (self.sari, self.budi):
            one.say("agree")
        for one in (self.sari, self.budi):
            one.is_in("open")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    with cable() as wire, ExitStack() as stack:
        issuer = Issuer(int(time.time()))
        await set_up(tmp_path / "sari", issuer, SARI, "Toko Sari", 5_000)
        await set_up(tmp_path / "budi", issuer, BUDI, "Budi", 5_000)
        yield Town(wire, tmp_path, stack)


def ask(payee: Device, payer: Device, amount: int, *, payer_phone: str, payee_phone: str) -> None:
    """Up to the payer's review."""
    payee.say("ask", phone=payer_phone, amount=amount, memo="teh")
    payer.shows("type_number")
    payer.say("number", phone=payee_phone)
    assert payer.shows("review")["amount"] == amount


@pytest.mark.alone
def test_two_terminals_pay_each_other(town: Town) -> None:
    town.meet()
    took = []
    for amount in (1_250, 100, 50):
        ask(town.sari, town.budi, amount, payer_phone=BUDI, payee_phone=SARI)
        began = time.monotonic()
        town.budi.say("confirm")
        there = town.sari.shows("accepted")
        here = town.budi.shows("accepted")
        took.append(time.monotonic() - began)
        assert there["hash"] == here["hash"]
    print(f"payments took {', '.join(f'{s * 1000:.0f} ms' for s in took)}")  # noqa: T201
    assert min(took) < 0.3

    ask(town.budi, town.sari, 400, payer_phone=SARI, payee_phone=BUDI)
    town.sari.say("confirm")
    assert town.budi.shows("accepted")["name"] == "Toko Sari"
    town.sari.shows("accepted")

    assert town.budi.do("status")["pass"]["left"] == 3_600
    assert town.sari.do("status")["pass"]["left"] == 4_600
    receipts = town.sari.do("receipts")
    assert len(receipts) == 4
    assert "INR 12.50" in receipts[-1]["receipt"] + receipts[0]["receipt"] + str(receipts)
    assert town.sari.leave() == 0
    assert town.budi.is_in("idle")["text"] == "The other side has hung up."
    assert town.budi.leave() == 0


def test_the_cable_is_cut_in_the_middle(town: Town) -> None:
    town.meet()
    ask(town.sari, town.budi, 1_250, payer_phone=BUDI, payee_phone=SARI)
    town.wire.cut()
    town.budi.say("confirm")
    sent = town.budi.shows("sending")
    for one in (town.sari, town.budi):
        one.is_in("lost")
    town.wire.heal()
    for one in (town.sari, town.budi):
        one.is_in("open")
        assert one.shows("accepted")["hash"] == sent["hash"]
    ask(town.budi, town.sari, 300, payer_phone=SARI, payee_phone=BUDI)
    town.sari.say("confirm")
    town.budi.shows("accepted")


def test_power_is_lost_in_the_middle(town: Town) -> None:
    town.meet()
    ask(town.sari, town.budi, 1_250, payer_phone=BUDI, payee_phone=SARI)
    town.wire.cut()
    town.budi.say("confirm")
    sent = town.budi.shows("sending")
    town.budi.kill()
    town.wire.heal()
    town.budi = town.start("budi", town.wire.right)
    assert town.budi.do("status")["pass"]["left"] == 3_750
    town.sari.is_in("lost")
    town.sari.do("hang_up")
    town.meet()
    assert town.sari.shows("accepted")["hash"] == sent["hash"]
    assert town.budi.shows("accepted")["hash"] == sent["hash"]
