"""How quick it feels: on a slow link the app can be used within five seconds, and within two when
it has been there before; painting, steadiness and answers to taps are what browsers count as good.

Whatever else the machine does only makes these times longer, so each is the best of a few tries.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from tests.app.conftest import OpenPage
from tests.app.people import People, Somebody
from tests.app.test_offline import installed

_TRIES = 6
_SLOW = {  # bytes a second, and milliseconds: 400 kbit/s both ways
    "offline": False,
    "latency": 400,
    "downloadThroughput": 400_000 / 8,
    "uploadThroughput": 400_000 / 8,
}
_FIRST_MS = 5_000
_AGAIN_MS = 2_000
_LIMITS = {"lcp": 2_500, "inp": 200, "cls": 0.1}  # ms, ms, share of the screen times way
# Where a tap leads on: out of the landing page, and from home to paying.
_LEADS_ON = {"out": ".hero a[href]", "in": ".balance-pay"}
# INP is the slowest of all interactions. One that takes less than 16 ms is told of only when it is
# the first. CLS here is the sum of all shifts, which is never less than what browsers count.
_OBSERVE = """() => {
  const seen = (window.vitals = { lcp: 0, inp: 0, cls: 0, taps: 0 });
  const settle = (window.settle = []);
  const watch = (type, note) => {
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
    observer.observe({ type, buffered: true, durationThreshold: 16 });
    settle.push(() => observer.takeRecords().forEach(note));
  };
  const tap = ({ duration }) => { seen.inp = Math.max(seen.inp, duration); seen.taps += 1; };
  watch("largest-contentful-paint", ({ startTime }) => { seen.lcp = startTime; });
  watch("layout-shift", (one) => { if (!one.hadRecentInput) seen.cls += one.value; });
  watch("first-input", tap);
  watch("event", (one) => { if (one.interactionId) tap(one); });
}"""
# Milliseconds since the visit began, once the place to tap is shown; asked before each frame.
_USABLE = "(place) => document.querySelector(place)?.checkVisibility() && performance.now()"
# Twice a frame: what was drawn last has been looked at.
_PAINTED = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"""

Open = Callable[[], Page]


@pytest.fixture(scope="module")
def person(people: People) -> Somebody:
    """Somebody whose home has something to show."""
    person, other = people.sign_up("speed.sina"), people.sign_up("speed.tama")
    person.pay(person.open_wallet("SGD", 50_000), f"@{other.username}", 700, "Ferry")
    return person


@pytest.fixture(params=["out", "in"])
def who(request: pytest.FixtureRequest) -> str:
    """Signed out, on the landing page; or signed in, at home."""
    return str(request.param)


@pytest.fixture
def fresh(open_page: OpenPage, person: Somebody, who: str) -> Open:
    """Opens a page in a browser that was never here."""
    return lambda: open_page(person.state if who == "in" else None, service_workers="allow")


def _usable_after(page: Page, who: str) -> float:
    """Milliseconds from the visit's beginning until the app could be used."""
    asked = page.wait_for_function(_USABLE, arg=_LEADS_ON[who], polling="raf")
    return float(asked.json_value())


def _tap_on(page: Page, who: str) -> None:
    """A tap leads on, so the app is there and not only its picture."""
    before = page.url
    page.locator(_LEADS_ON[who]).first.tap()
    expect(page).not_to_have_url(before)


@pytest.mark.alone
def test_on_a_slow_link_the_app_is_soon_usable(fresh: Open, who: str) -> None:
    first, again = [], []
    for _ in range(_TRIES):
        page = fresh()
        link = page.context.new_cdp_session(page)
        link.send("Network.enable")
        link.send("Network.emulateNetworkConditions", _SLOW)
        page.goto("/", wait_until="commit")
        first.append(_usable_after(page, who))
        _tap_on(page, who)
        page.goto("/")
        installed(page)
        page.goto("/", wait_until="commit")
        again.append(_usable_after(page, who))
        _tap_on(page, who)
        page.context.close()
        print(f"{who}: first {first[-1]:.0f} ms, again {again[-1]:.0f} ms")  # noqa: T201
        if min(first) <= _FIRST_MS and min(again) <= _AGAIN_MS:
            break
    assert min(first) <= _FIRST_MS
    assert min(again) <= _AGAIN_MS


@pytest.mark.alone
def test_it_paints_soon_stays_put_and_answers_at_once(fresh: Open, who: str) -> None:
    best: dict[str, float] = {}
    for _ in range(_TRIES):
        page = fresh()
        page.add_init_script(f"({_OBSERVE})()")
        page.goto("/")
        _usable_after(page, who)
        page.wait_for_load_state("networkidle")
        _tap_on(page, who)
        page.wait_for_function("() => window.vitals.taps > 0")
        found: dict[str, Any] = page.evaluate("() => window.vitals")
        print(who, found)  # noqa: T201
        assert found["lcp"] > 0
        best = {name: min(best.get(name, found[name]), found[name]) for name in _LIMITS}
        page.context.close()
        if all(best[name] <= limit for name, limit in _LIMITS.items()):
            return
    pytest.fail(f"{best} where at most {_LIMITS} is good")


@pytest.mark.parametrize("late", ["wallets", "wallets|contacts", "entries"])
def test_what_comes_late_moves_nothing(open_page: OpenPage, person: Somebody, late: str) -> None:
    page = open_page(person.state)
    page.add_init_script(f"({_OBSERVE})()")
    held: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    what = re.compile(rf"/v1/(wallets/\w+/)?({late})(\?|$)")
    page.route(what, hold)
    with page.expect_request(what):
        page.goto("/")
    expect(page.locator("main .skeleton").first).to_be_visible()
    # Browsers count no shift for half a second after the window took its size.
    page.wait_for_function("() => performance.now() > 1_000")
    page.evaluate(_PAINTED)
    released = True
    for route in held:
        route.continue_()
    expect(page.get_by_text("Ferry")).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)
    page.evaluate(_PAINTED)
    assert page.evaluate("() => (window.settle.forEach((one) => one()), window.vitals.cls)") <= 0.02
