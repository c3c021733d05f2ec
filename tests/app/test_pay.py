"""Paying when something is in the way: each case is told in words, and money moves once at most."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from tests.app.conftest import OpenPage
from tests.app.people import People, Somebody
from tests.app.words import shown

Pair = tuple[Somebody, Somebody, str]


@pytest.fixture(scope="module")
def pair(people: People) -> Pair:
    """Who pays, who is paid, and the wallet it is paid from."""
    payer, payee = people.sign_up("pay.hina", pin=True), people.sign_up("pay.maui")
    wallet = payer.open_wallet("SGD", 100_000)
    payer.pay(wallet, "@pay.maui", 100, "First")
    return payer, payee, wallet


def confirm(page: Page, pair: Pair, amount: str, memo: str = "") -> None:
    """From a link to the confirmation, and yes."""
    page.goto(f"/pay?to=@{pair[1].username}&amount={amount}&currency=SGD&memo={memo}")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=shown(f"Pay S${amount} to {pair[1].username}")).click()


def memos(pair: Pair, memo: str) -> int:
    """How many payments with this memo the payer's wallet has."""
    found = pair[0].call("GET", f"/v1/wallets/{pair[2]}/entries?q={memo}")
    return len(found["items"])


def test_somebody_known_is_paid_with_four_taps(open_page: OpenPage, pair: Pair) -> None:
    page = open_page(pair[0].state)
    page.goto("/")
    page.get_by_text("First").wait_for()
    page.evaluate(
        "() => { window.taps = 0; addEventListener('click', ({ isTrusted, target }) =>"
        " { if (isTrusted && target.tagName !== 'INPUT') window.taps += 1; }, true); }"
    )
    page.get_by_role("main").get_by_role("link", name="Pay", exact=True).tap()
    page.get_by_role("button", name=pair[1].username).tap()
    expect(page.get_by_label("Amount")).to_be_focused()
    page.keyboard.type("8.20")
    page.get_by_role("button", name="Continue").tap()
    page.get_by_role("button", name=shown(f"Pay S$8.20 to {pair[1].username}")).tap()
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    assert page.evaluate("window.taps") <= 4


@pytest.mark.parametrize("after", ["nothing", "the server"])
def test_a_payment_whose_answer_is_lost_is_found_out_and_made_once(
    open_page: OpenPage, pair: Pair, after: str
) -> None:
    page = open_page(pair[0].state)
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            return route.continue_()
        if after == "the server":
            route.fetch()  # it arrives and is carried out; only the answer does not come back
        return route.abort("connectionreset")

    page.route("**/v1/payments", lose)
    memo = f"lost-{after.rsplit(maxsplit=1)[-1]}"
    confirm(page, pair, "3.00", memo)
    expect(page.get_by_text("We are finding out").first).to_be_visible()
    expect(page.get_by_text("Please do not pay again")).to_be_visible()
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    assert len(set(keys)) == 1
    assert memos(pair, memo) == 1


def test_a_reload_while_the_outcome_is_unknown_goes_on_asking(
    open_page: OpenPage, pair: Pair
) -> None:
    page = open_page(pair[0].state)
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort("connectionreset")

    page.route("**/v1/payments", lose)
    confirm(page, pair, "4.00", "reloaded")
    expect(page.get_by_text("Please do not pay again")).to_be_visible()
    page.unroute("**/v1/payments")
    with page.expect_request("**/v1/payments") as again:
        page.reload()
    assert {again.value.headers["idempotency-key"]} == set(keys)
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    assert memos(pair, "reloaded") == 1


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (402, "insufficient_funds", "There is not enough in your wallet"),
        (409, "account_frozen", "This wallet is frozen"),
        (409, "limit_exceeded", "would then hold more than a wallet may"),
        (404, "unknown_recipient", "Nobody has a wallet under this name or number any more"),
        (429, "too_many_requests", "Too many tries"),
        (403, "pin_locked", "Too many wrong PINs"),
    ],
)
def test_each_refusal_is_told_in_words(
    open_page: OpenPage, pair: Pair, status: int, code: str, words: str
) -> None:
    page = open_page(pair[0].state)
    body = {"code": code, "title": "A title nobody shall see", "status": status}
    page.route("**/v1/payments", lambda route: route.fulfill(status=status, json=body))
    confirm(page, pair, "5.00")
    expect(page.get_by_text(words).first).to_be_visible()
    assert "title nobody" not in page.content()


def test_more_than_there_is_cannot_be_confirmed(open_page: OpenPage, pair: Pair) -> None:
    page = open_page(pair[0].state)
    page.goto(f"/pay?to=@{pair[1].username}&amount=99999&currency=SGD")
    expect(page.get_by_text("That is more than you have")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_be_disabled()


def test_nobody_is_paid_whose_name_is_not_known(open_page: OpenPage, pair: Pair) -> None:
    page = open_page(pair[0].state)
    page.goto("/pay?to=@not.there.at.all&amount=5&currency=SGD")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("We do not know who that is")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Pay "))).to_have_count(0)
    page.goto("/pay")
    page.get_by_label("Phone number or @name").fill("@not.there.at.all")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Nobody has a wallet under this name or number")).to_be_visible()
    expect(page.get_by_label("Phone number or @name")).to_have_value("@not.there.at.all")


def test_several_people_share_a_sum(open_page: OpenPage, people: People, pair: Pair) -> None:
    third = people.sign_up("pay.pele")
    page = open_page(pair[0].state)
    page.goto(f"/pay?to=@{pair[1].username}")
    page.get_by_role("button", name="Pay several people").click()
    page.get_by_label("Phone number or @name").fill(third.phone)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Total for all").fill("10.01")
    page.get_by_label("Message").fill("shared")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(third.username).first).to_be_visible()
    expect(page.get_by_text(shown("S$5.01"))).to_be_visible()
    expect(page.get_by_text(shown("S$5.00"))).to_be_visible()
    page.get_by_role("button", name=shown("Pay S$10.01 to 2 people")).click()
    expect(page.get_by_role("heading", name="Paid", exact=True)).to_be_attached()
    found = pair[0].call("GET", f"/v1/wallets/{pair[2]}/entries?q=shared")["items"]
    assert sorted(one["amount"]["amount"] for one in found) == [500, 501]


def test_a_code_on_a_picture_is_read(
    open_page: OpenPage, pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("codes") / "code.png"
    receiver = open_page(pair[1].state)
    receiver.goto("/receive")
    receiver.get_by_role("button", name="Ask for an amount").click()
    receiver.get_by_label("Amount").fill("12.50")
    code = receiver.get_by_role("img", name=shown("Code to pay pay.maui S$12.50 on TikiWallet"))
    code.screenshot(path=file)

    page = open_page(pair[0].state)
    page.goto("/pay")
    page.get_by_role("button", name="Scan a code").first.click()
    # Nobody allowed the camera: said in words, with two other ways.
    expect(page.get_by_text("The camera is not allowed")).to_be_visible()
    page.get_by_label("Choose a picture").set_input_files(file)
    expect(page.get_by_label("Amount")).to_have_value("12.50")
    expect(page.get_by_text("@pay.maui")).to_be_visible()


def _script(page: Page) -> bool:
    return bool(page.evaluate("() => 'hacked' in window"))


def test_script_in_names_and_memos_stays_text(
    open_page: OpenPage, people: People, pair: Pair
) -> None:
    evil = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    id = pair[0].pay(pair[2], f"@{pair[1].username}", 150, evil)
    page = open_page(pair[1].state)
    visits: list[Callable[[], object]] = [
        lambda: page.goto("/"),
        lambda: page.goto("/history"),
        lambda: page.goto(f"/payments/{id}"),
    ]
    for go in visits:
        go()
        expect(page.get_by_text(evil).first).to_be_visible()
        assert not _script(page)
    answer = {"to": "@pay.maui", "name": evil}
    page = open_page(pair[0].state)
    page.route("**/v1/names/*", lambda route: route.fulfill(json=answer))
    page.goto("/pay?to=@pay.maui&amount=1&currency=SGD")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".confirm-name")).to_have_text(evil)
    assert not _script(page)
