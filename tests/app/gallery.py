"""Every screen of the app in the state that shows most of it: for the accessibility tests and for
`make screens`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from playwright.sync_api import Page
from tests.app.other_phone import OtherPhone, shown_by
from tests.app.people import PIN, People, Somebody

Act = Callable[[Page], None]


@dataclass(frozen=True)
class Cast:
    """The people that the screens are about: one with a history, one who is new; and the phone of
    somebody near by."""

    main: Somebody
    fresh: Somebody
    payment: str
    group: str
    near: OtherPhone


@dataclass(frozen=True)
class Shot:
    """One screen: where it is, what shows that it is there, and what to do on it first.

    `who` is `main`, `fresh` or `out` (signed out). `wide`: worth a picture at desktop width too.
    """

    name: str
    path: str
    ready: str
    who: str = "main"
    act: Act | None = None
    wide: bool = False


def stage(people: People, suffix: str = "") -> Cast:
    """People with wallets in three currencies and some weeks' worth of payments in a minute."""
    main = people.sign_up(f"mei.lin{suffix}", pin=True)
    others = {
        name: people.sign_up(f"{name}{suffix}")
        for name in ("arjun.rao", "sofia.reyes", "omar.haddad", "kopi.corner", "leilani")
    }
    wallet = main.open_wallet("SGD", 248_035)
    main.open_wallet("USD", 42_000)
    main.open_wallet("JPY", 12_500)
    wallets = {name: one.open_wallet("SGD", 100_000) for name, one in others.items()}
    to = f"@{main.username}"
    group = main.call(
        "POST",
        "/v1/payments",
        {
            "from_wallet": wallet,
            "payees": [
                {
                    "to": f"@{others[name].username}",
                    "amount": {"amount": 2_500, "currency": "SGD"},
                }
                for name in ("arjun.rao", "sofia.reyes", "leilani")
            ],
            "memo": "Beach house",
        },
        key=True,
    )["id"]
    others["sofia.reyes"].pay(wallets["sofia.reyes"], to, 9_900, "Concert tickets 🎶")
    main.pay(wallet, f"@{others['kopi.corner'].username}", 680, "Kopi & toast")
    others["omar.haddad"].pay(wallets["omar.haddad"], to, 3_325, "شكرًا على العشاء")
    main.pay(wallet, f"@{others['leilani'].username}", 1_250)
    payment = main.pay(wallet, f"@{others['arjun.rao'].username}", 4_250, "Dinner at Maxwell")
    others["arjun.rao"].pay(wallets["arjun.rao"], to, 1_800, "Taxi share")
    fresh = people.sign_up(f"new.{uuid4().hex[:6]}")
    return Cast(main, fresh, payment, group, OtherPhone(others["arjun.rao"], 2_000))


# -- what is done on a screen before it is looked at


def _click(*selectors: str) -> Act:
    def act(page: Page) -> None:
        for selector in selectors:
            page.locator(selector).first.click()

    return act


def _answer(pattern: str, status: int, code: str) -> Act:
    """From now on calls to `pattern` end in this problem."""

    def act(page: Page) -> None:
        body = {"code": code, "title": code, "status": status}
        page.route(pattern, lambda route: route.fulfill(status=status, json=body))

    return act


def _then(*acts: Act) -> Act:
    def act(page: Page) -> None:
        for one in acts:
            one(page)

    return act


def _wait(selector: str) -> Act:
    def act(page: Page) -> None:
        page.locator(selector).first.wait_for()

    return act


def _type(selector: str, text: str) -> Act:
    def act(page: Page) -> None:
        page.locator(selector).first.fill(text)

    return act


_AT_REST: Final = """() => document.getAnimations().every((one) =>
    one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
_HEADING: Final = "main h1"
_GO_ON: Final = _then(_click(".screen-end .button"), _wait(".confirm, .pin, .outcome"))
_PAY: Final = _then(_GO_ON, _click(".screen-end .button:not([disabled])"))
_REFUSED: Final = _then(
    _answer("**/v1/payments", 402, "insufficient_funds"), _PAY, _wait(".outcome-bad")
)
_UNKNOWN: Final = _then(_answer("**/v1/payments", 503, "unavailable"), _PAY, _wait(".notice-warn"))
_TOP_UP: Final = _click(".chips .chip:nth-child(2)")


def _card(number: int, shows: str) -> Act:
    pick = f".cards label:nth-child({number})"
    return _then(_TOP_UP, _click(pick, "form button[type=submit]"), _wait(shows))


def _sheet(opens: str) -> Act:
    return _then(_click(opens), _wait(".sheet"))


def _wrong_pin(page: Page) -> None:
    for digit in "739164":
        page.locator(".pin-key", has_text=digit).first.click()
    page.locator(".pin-bad").wait_for()


def shots(cast: Cast, suffix: str = "") -> list[Shot]:
    """All of them, in the order of a visit. `suffix` is that of `stage`."""
    return [
        *_entry(),
        *_home(),
        *_pay(suffix),
        *_money(),
        *_history(cast),
        *_offline(cast),
        *_nearby(),
        *_account(),
    ]


def _entry() -> list[Shot]:
    return [
        Shot("front", "/", ".hero", "out", wide=True),
        Shot("sign-in", "/sign-in", "form", "out", wide=True),
        Shot("sign-up", "/welcome", "form", "out"),
        Shot("recover", "/recover", "form", "out"),
        Shot("help", "/help", _HEADING, "out"),
        Shot("dev", "/dev", _HEADING, "out"),
    ]


def _home() -> list[Shot]:
    return [
        Shot("home", "/", ".balance-pay", wide=True),
        Shot("home-new", "/", ".state", "fresh"),
        Shot("wallet-add", "/", ".wallet-add", act=_sheet(".wallet-add")),
        Shot("contacts", "/contacts", ".movement, .state"),
        Shot("notices", "/notices", _HEADING),
    ]


def _pay(suffix: str) -> list[Shot]:
    box, to = ".amount-box", "input[name=to]"
    arjun = f"@arjun.rao{suffix}"
    pay = f"/pay?to={arjun}&amount=42.50&currency=SGD&memo=Dinner"
    large = f"/pay?to={arjun}&amount=420&currency=SGD"
    nobody = "/pay?to=@nobody.at.all&amount=5&currency=SGD"
    wrong = _then(_type(to, "not a name!"), _click("button[type=submit]"), _wait(".field-wrong"))
    add = _then(
        _click(".button-quiet.button-small"),
        _wait(to),
        _type(to, f"sofia.reyes{suffix}"),
        _click("button[type=submit]"),
        _wait(".choices"),
    )
    own = _then(add, _click(".choices label:nth-child(2)"))
    return [
        Shot("pay-who", "/pay", to, wide=True),
        Shot("pay-who-wrong", "/pay", to, act=wrong),
        Shot("pay-scan", "/pay", ".button-soft", act=_sheet(".button-soft")),
        Shot("pay-amount", pay, box, wide=True),
        Shot("pay-confirm", pay, box, act=_GO_ON, wide=True),
        Shot("pay-pin", large, box, act=_then(_PAY, _wait(".pin"))),
        Shot("pay-pin-wrong", large, box, act=_then(_PAY, _wait(".pin"), _wrong_pin)),
        Shot("pay-done", pay, box, act=_then(_PAY, _wait(".outcome-good"))),
        Shot("pay-refused", pay, box, act=_REFUSED),
        Shot("pay-unknown", pay, box, act=_UNKNOWN),
        Shot("pay-nobody", nobody, box, act=_then(_GO_ON, _wait(".notice-error"))),
        Shot("pay-too-much", f"/pay?to={arjun}&amount=900000&currency=SGD", ".notice-warn"),
        Shot("pay-several", pay, box, act=add),
        Shot("pay-several-own", pay, box, act=own),
        Shot("pay-several-confirm", pay, box, act=_then(add, _GO_ON)),
    ]


def _money() -> list[Shot]:
    amount = _then(_click(".button-soft"), _type(".amount-box input", "12.50"))
    return [
        Shot("receive", "/receive", "svg.qr", wide=True),
        Shot("receive-amount", "/receive", "svg.qr", act=amount),
        Shot("topup", "/topup", ".cards", act=_TOP_UP, wide=True),
        Shot("topup-done", "/topup", ".cards", act=_card(1, ".outcome-good")),
        Shot("topup-bank", "/topup", ".cards", act=_card(2, ".outcome-asked")),
        Shot("topup-late", "/topup", ".cards", act=_card(3, ".outcome-turning")),
        Shot("topup-declined", "/topup", ".cards", act=_card(5, ".outcome-bad")),
    ]


def _history(cast: Cast) -> list[Shot]:
    row = ".movement"
    payment = f"/payments/{cast.payment}"
    nothing = _then(_type("input[type=search]", "zzz"), _wait(".state"))
    proof = _then(_click(".section:last-child .button-soft"), _wait(".checks"))
    return [
        Shot("history", "/history", row, wide=True),
        Shot("history-open", "/history", row, act=_click(f"{row} .button-icon")),
        Shot("history-filter", "/history", row, act=_sheet(".search-filter")),
        Shot("history-nothing", "/history", row, act=nothing),
        Shot("payment", payment, ".ticket", wide=True),
        Shot("payment-several", f"/payments/{cast.group}", ".ticket"),
        Shot("payment-proof", payment, ".ticket", act=proof),
    ]


def _pin(page: Page) -> None:
    page.locator(".pin").wait_for()
    page.keyboard.type(PIN)


def _set_aside(page: Page) -> None:
    """Twenty dollars, unless that was done on this phone before."""
    page.goto("/offline")
    page.locator(".off-pass, .off-steps").first.wait_for()
    if page.locator(".off-pass").count() == 0:
        page.goto("/offline/ready")
        page.locator(".amount-box input").fill("20")
        page.locator(".screen-end .button").click()
        _pin(page)
        page.locator(".off-pass").wait_for()


def _open(path: str) -> Act:
    """A screen for which money has to be set aside."""

    def act(page: Page) -> None:
        _set_aside(page)
        page.goto(path)

    return act


_TERMINAL: Final = f"/nearby#192.168.49.1:4433/{'A' * 43}"
_LINK: Final = """async (state) => {
  const base = document.querySelector("script[type=module]").src;
  const { nearby } = await import(new URL("offline/nearby.js", base).href);
  nearby.value = { ...nearby.value, ...state };
}"""


def _near(selector: str, **state: str) -> Act:
    """With a terminal that is not there: nothing is connected to, and the link is said to be in
    this state."""

    def act(page: Page) -> None:
        page.add_init_script("window.Worker = class { postMessage() {} terminate() {} }")
        _open(_TERMINAL)(page)
        page.locator(".state").wait_for()
        page.evaluate(_LINK, state)
        page.locator(selector).first.wait_for()

    return act


def _nearby() -> list[Shot]:
    digits = _near("main .money-large", phase="comparing", digits="482913")
    scan = _then(_open("/nearby"), _wait("input[type=file]"))
    connected = _near(".screen-end .button >> nth=1", phase="open")
    over = _near(".notice", phase="over", reason="ended")
    return [
        Shot("nearby-scan", "/", _HEADING, act=scan),
        Shot("nearby-digits", "/", _HEADING, act=digits),
        Shot("nearby-open", "/", _HEADING, act=connected),
        Shot("nearby-over", "/", _HEADING, act=over),
    ]


def _offline(cast: Cast) -> list[Shot]:
    near, number, end = cast.near, "input[type=tel]", ".screen-end .button"
    typed = _type(number, near.who.phone)

    def scan(page: Page) -> None:
        page.locator("input[type=file]").wait_for()
        near.ask(page, 250, "Kopi")
        page.locator(number).wait_for()

    def scan_receipt(page: Page) -> None:
        payment = shown_by(page)
        page.locator(end).first.click()
        near.take(page, payment)
        page.locator(".outcome-title").wait_for()

    def scan_payment(page: Page) -> None:
        request = shown_by(page)
        page.locator(end).first.click()
        near.pay(page, request)
        page.locator(".off-accepted").wait_for()

    pay = _then(_open("/offline/pay"), _wait("input[type=file]"))
    reviewed = _then(pay, scan, typed, _click(end), _wait(".confirm"))
    signed = _then(reviewed, _click(end), _pin, _wait("svg.qr"))
    form = _then(_open("/offline/receive"), typed, _type(".amount-box input", "3.50"))
    asked = _then(form, _click(end), _pin, _wait("svg.qr"))
    # The code that says so, until the service has heard of it.
    off = _wait("p[role=status] ~ .off-code svg.qr, .outcome-title")
    called_off = _then(asked, _click("main p > .button-quiet"), _pin, off)
    ready, bar = _type(".amount-box input", "20"), _HEADING
    devices = _then(_open("/offline/devices"), _wait(".off-device"))
    return [
        Shot("offline-new", "/offline", ".off-steps", "fresh"),
        Shot("offline-ready", "/offline/ready", ".amount-box", act=ready),
        Shot("offline-scan", "/", bar, act=pay),
        Shot("offline-number", "/", bar, act=_then(pay, scan)),
        Shot("offline-confirm", "/", bar, act=reviewed),
        Shot("offline-pin", "/", bar, act=_then(reviewed, _click(end), _wait(".pin"))),
        Shot("offline-code", "/", bar, act=signed),
        Shot("offline-gone", "/", bar, act=_then(signed, _sheet(f"{end} >> nth=1"))),
        Shot("offline-accepted", "/", bar, act=_then(signed, scan_receipt)),
        Shot("offline-receive", "/", bar, act=form),
        Shot("offline-request", "/", bar, act=asked),
        Shot("offline-receipt", "/", bar, act=_then(asked, scan_payment)),
        Shot("offline-called-off", "/", bar, act=called_off),
        Shot("offline", "/", bar, act=_then(_open("/offline"), _wait(".off-pass")), wide=True),
        Shot("offline-devices", "/", bar, act=devices),
        Shot("offline-lost", "/", bar, act=_then(devices, _sheet(".off-device .button >> nth=1"))),
        Shot("offline-home", "/", ".balance-link"),
    ]


def _account() -> list[Shot]:
    plain = ("pin", "password", "passkeys", "authenticator", "devices", "events")
    return [
        Shot("you", "/you", ".list", wide=True),
        Shot("profile", "/profile", _HEADING),
        Shot("profile-number", "/profile/number", _HEADING),
        Shot("security", "/security", _HEADING, wide=True),
        *(Shot(f"security-{name}", f"/security/{name}", _HEADING) for name in plain),
        Shot("settings", "/settings", _HEADING),
        Shot("no-such-page", "/nowhere", ".state"),
        # Last: amounts stay hidden on this device.
        Shot("home-hidden", "/", ".balance-pay", act=_click(".balance-top .button")),
    ]


def visit(page: Page, shot: Shot) -> None:
    """Go there, do what is to be done, and wait until nothing moves."""
    page.unroute_all()
    page.goto(shot.path)
    page.locator(shot.ready).first.wait_for()
    if shot.act is not None:
        shot.act(page)
    page.wait_for_function("() => !document.querySelector('.skeleton, .progress')")
    page.wait_for_function(_AT_REST)


def state_of(cast: Cast, shot: Shot) -> Any:
    """The session that a shot needs."""
    return {"main": cast.main.state, "fresh": cast.fresh.state, "out": None}[shot.who]
