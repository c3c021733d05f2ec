"""Somebody's phone that speaks the offline protocol in Python, for screens that need a second
one."""

import io
import secrets
import time
from typing import Final

import segno
from playwright.sync_api import Page
from tests.app.people import Somebody

from tikiwallet import base64url
from tikiwallet.offline.wire import frames
from tikiwallet.offline.wire.keys import PrivateKey
from tikiwallet.offline.wire.messages import Invite, Pass, Pay, Receipt

_PROOF: Final = b"tikiwallet/offline/1/key\x00"
_CODE: Final = """async () => {
  const base = document.querySelector("script[type=module]").src;
  const { held } = await import(new URL("offline/holdings.js", base).href);
  const id = location.pathname.split("/").at(-1);
  return held.value.exchanges.find((one) => one.id === id).codes[0];
}"""


class OtherPhone:
    """A phone of `who`, with `amount` minor units of SGD set aside."""

    def __init__(self, who: Somebody, amount: int) -> None:
        self.who = who
        self._key = PrivateKey.generate()
        body = {"name": "Other", "kind": "phone", "protection": "pin"}
        device = who.call("POST", "/v1/offline/devices", body)["id"]
        told = who.call(
            "POST",
            "/v1/offline/passes",
            {
                "device": device,
                "amount": {"amount": amount, "currency": "SGD"},
                "key": base64url.write(self._key.public),
                "proof": base64url.write(self._key.sign(_PROOF + device.encode())),
            },
            key=True,
        )
        self._pass = Pass.parse(base64url.read(told["message"]))
        self._last = (self._pass.start_sequence - 1, self._pass.hash, 0)

    def ask(self, page: Page, amount: int, memo: str) -> None:
        """Show a request to the page that scans."""
        invite = Invite(
            payee=self._pass,
            request_id=secrets.token_bytes(16),
            amount=amount,
            currency=self._pass.currency,
            memo=memo,
            made_at=int(time.time()),
            life=120,
        )
        show(page, invite.sealed_by(self._key))

    def pay(self, page: Page, request: bytes) -> None:
        """Show the payment that answers a request."""
        invite = Invite.parse(request)
        sequence, previous, cumulative = self._last
        pay = Pay(
            payer=self._pass,
            sequence=sequence + 1,
            previous=previous,
            amount=invite.amount,
            cumulative=cumulative + invite.amount,
            payee_pass=invite.payee.id,
            request_hash=invite.hash,
            time=int(time.time()),
        )
        signed = Pay.parse(pay.sealed_by(self._key))
        self._last = (signed.sequence, signed.hash, signed.cumulative)
        show(page, signed.raw)

    def take(self, page: Page, payment: bytes) -> None:
        """Show the receipt for a payment."""
        receipt = Receipt(pay_hash=Pay.parse(payment).hash, time=int(time.time()))
        show(page, receipt.sealed_by(self._key))


def shown_by(page: Page) -> bytes:
    """The message whose code is on the page."""
    page.locator("svg.qr").wait_for()
    return frames.bytes_of(page.evaluate(_CODE))


def show(page: Page, message: bytes) -> None:
    """A message as a picture of its code, for a page that looks for one."""
    [text] = frames.texts_of(message)
    picture = io.BytesIO()
    segno.make(text, error="l", boost_error=False).save(picture, kind="png", scale=6)
    file = {"name": "code.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
