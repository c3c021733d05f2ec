"""A phone's browser and a terminal over the local network, for real: Chromium to aioquic."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.app.conftest import OpenPage
from tests.app.nearby import INVITE, PAY_BYTES, Terminal, receipt_for, terminal_nearby

from tikiwallet.terminal.webtransport_limits import Limits

WITHIN_MS = 500
# `link` is what the app's modules make of it; bytes travel as lists of numbers.
_LOAD = """async () => {
  const script = document.querySelector('script[type="module"]').src;
  const folder = script.slice(0, script.lastIndexOf("/") + 1) + "offline/";
  window.nearby = await import(folder + "webtransport.js");
  window.short = await import(folder + "short-string.js");
}"""
_PAY = """async ({ text, pay }) => {
  const { Kind, openLink, placeOf } = window.nearby;
  const begun = performance.now();
  try {
    const link = await openLink(placeOf(text));
    const opened = performance.now() - begun;
    const invite = (await link.receive()).body;
    link.send(Kind.MESSAGE, new Uint8Array(pay));
    const receipt = (await link.receive()).body;
    const ms = performance.now() - begun;
    link.close();
    return { invite: [...invite], receipt: [...receipt], digits: link.digits, ms, opened };
  } catch (error) {
    return { reason: error.reason ?? String(error) };
  }
}"""


@pytest.fixture
def terminal(site: str) -> Iterator[Terminal]:
    with terminal_nearby(site, Limits(quiet=2, lost=5)) as terminal:
        yield terminal


@pytest.fixture
def phone(open_page: OpenPage) -> Page:
    page = open_page()
    page.goto("/")
    page.evaluate(_LOAD)
    return page


def pay(phone: Page, text: str, content: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = phone.evaluate(_PAY, {"text": text, "pay": list(content)})
    return answer


def test_a_payment_within_half_a_second(phone: Page, terminal: Terminal) -> None:
    times = []
    for number in range(5):
        content = bytes([number]) * PAY_BYTES
        answer = pay(phone, terminal.server.text, content)
        assert "reason" not in answer, answer
        assert bytes(answer["invite"]) == INVITE
        assert bytes(answer["receipt"]) == receipt_for(content)
        assert answer["digits"] == terminal.shop.digits[-1]
        times.append((round(answer["ms"]), round(answer["opened"])))
    print(f"from nothing to the receipt, and to the digits, in ms: {times}")  # noqa: T201
    assert max(whole for whole, _ in times) <= WITHIN_MS
    assert len(set(terminal.shop.digits)) == 5
