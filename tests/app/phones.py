"""Phones with the app that meet without a network.

The camera of each is a canvas that is shown what the other screen shows, slightly turned and on a
grey ground; the app's own reader finds the code in its pixels.
"""

import base64
import time
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Page, expect
from tests.app.conftest import OpenPage
from tests.app.people import PIN, Somebody
from tests.app.test_offline import installed
from tests.app.words import shown

_CAMERA: Final = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = 1280;
  canvas.height = 720;
  const context = canvas.getContext("2d");
  let picture = null;
  setInterval(() => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#8a8f8c";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!picture) return;
    context.translate(canvas.width / 2, canvas.height / 2);
    context.rotate(0.05);
    context.drawImage(picture, -320, -320, 640, 640);
  }, 40);
  window.lookAt = async (data) => {
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    picture = data && (await createImageBitmap(new Blob([bytes], { type: "image/png" })));
  };
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(25);
}"""
_PATIENCE: Final = 30.0  # seconds that a camera is held


@dataclass
class Phone:
    """One person's phone."""

    who: Somebody
    page: Page

    @classmethod
    def of(cls, who: Somebody, open_page: OpenPage) -> "Phone":
        """With a camera."""
        page = open_page(who.state, service_workers="allow")
        page.add_init_script(f"({_CAMERA})()")
        return cls(who, page)

    def get_ready(self, amount: str | None) -> None:
        """Set money aside, or only be paid."""
        self.page.goto("/offline/ready")
        if amount is None:
            self.page.get_by_role("button", name="Only be paid").click()
        else:
            self.page.get_by_label("Amount").fill(amount)
            self.page.get_by_role("button", name=shown(f"Set S${amount} aside")).click()
        self.enter_pin()
        expect(self.page.get_by_role("heading", name="Offline money")).to_be_visible()
        installed(self.page)

    def enter_pin(self, pin: str = PIN) -> None:
        """On the keys of the screen."""
        self.page.get_by_role("group", name="Enter your PIN").wait_for()
        for digit in pin:
            self.page.get_by_role("button", name=digit, exact=True).click()

    def look_at(self, other: "Phone") -> None:
        """Hold the camera before the code on the other phone's screen."""
        other.page.locator("svg.qr").wait_for()
        self.see(other.page.locator("svg.qr").screenshot())

    def watch(self, other: "Phone") -> None:
        """Hold the camera before the codes that the other phone shows in turn, until it has all."""
        end = time.monotonic() + _PATIENCE
        while self.page.locator("video").is_visible():
            assert time.monotonic() < end, "not all codes were read"
            self.look_at(other)

    def see(self, picture: bytes) -> None:
        """Hold the camera before a picture."""
        self.page.evaluate("(data) => window.lookAt(data)", base64.b64encode(picture).decode())

    def ask(self, payer: "Phone", amount: str, memo: str = "") -> None:
        """Show a request for `amount`."""
        self.page.goto("/offline/receive")
        self._type_number(payer.who.phone)
        self.page.get_by_label("Amount").fill(amount)
        if memo:
            self.page.get_by_label("Message").fill(memo)
        self.page.get_by_role("button", name="Show the code").click()
        self.enter_pin()
        self.page.locator("svg.qr").wait_for()

    def review(self, payee: "Phone") -> None:
        """Scan the request and type whose it is."""
        self.page.goto("/offline/pay")
        self.look_at(payee)
        self._type_number(payee.who.phone)
        self.page.get_by_role("button", name="Continue").click()

    def code(self) -> str:
        """What the code on the screen looks like."""
        self.page.locator("svg.qr path").wait_for()
        return self.page.locator("svg.qr path").get_attribute("d") or ""

    def _type_number(self, phone: str) -> None:
        self.page.locator("input[type=tel]").fill(phone)

    def read(self, status: str) -> None:
        """The newest payment of the list says this."""
        self.page.goto("/offline")
        expect(self.page.locator("main .item-text").first).to_contain_text(status)


def cut_off(*phones: Phone) -> None:
    """No network from now on; the app starts anew without it."""
    for phone in phones:
        phone.page.context.set_offline(True)


def pay(payer: Phone, payee: Phone, amount: str) -> float:
    """By codes both ways; seconds from "pay" until both have accepted."""
    payee.ask(payer, amount, "Fish")
    payer.review(payee)
    payer.page.get_by_role("button", name=shown(f"Pay S${amount}")).click()
    payer.page.get_by_role("group", name="Enter your PIN").wait_for()
    began = time.monotonic()
    payer.enter_pin()
    payer.page.locator("svg.qr").wait_for()
    payee.page.get_by_role("button", name="Scan their payment").click()
    payee.look_at(payer)
    expect(payee.page.get_by_role("heading", name="Accepted")).to_be_visible()
    payer.page.get_by_role("button", name="Scan their receipt").click()
    payer.look_at(payee)
    expect(payer.page.locator(".outcome-title")).to_have_text("Accepted")
    return time.monotonic() - began
