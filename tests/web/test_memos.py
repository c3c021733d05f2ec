"""Memos in history and details: sealed in the log, in clear for the two they belong to."""

import time

import pytest
from tests.web.conftest import Caller, Web

from tikiwallet import ids
from tikiwallet.ledger.transactions import Kind, Posting, Result, Transaction
from tikiwallet.money import CURRENCIES
from tikiwallet.payments.memos import Memos

MEMOS = ["Lunch at Tiong Bahru", "晚" * 140, "rent", "Kaffee mit Straße"]
SGD = CURRENCIES["SGD"].number


async def pay(web: Web, payer: str, payee: str, number: int, reference: str | None) -> bytes:
    """Post a payment of 1.00 whose memo stands as `reference`, or sealed when that is None."""
    id = ids.derived_id("memo", number)
    sealed = Memos(web.parts.identity.sealing).seal(id, MEMOS[number % len(MEMOS)])
    from_, to = (ids.read_id("w", wallet) or 0 for wallet in (payer, payee))
    outcome = await web.parts.ledger.post(
        Transaction(
            id, 1, b"", Kind.PAYMENT, (Posting(from_, to, 100, SGD),),
            sealed if reference is None else reference,
        ),
        time.monotonic() + 10,
    )  # fmt: skip
    assert outcome.result == Result.POSTED
    return id


@pytest.fixture
async def paid(web: Web) -> tuple[Caller, str, list[bytes]]:
    mei = await web.sign_up("+6591234567", "mei.lin")
    ravi = await web.sign_up("+6598765432", "ravi")
    mine, theirs = await mei.wallet(), await ravi.wallet()
    body = {
        "wallet": mine,
        "amount": {"amount": 2_500, "currency": "SGD"},
        "method": "pm_card_visa",
    }
    await mei.call("POST", "/v1/topups", body, idempotency_key="k1")
    made = [await pay(web, mine, theirs, number, None) for number in range(4)]
    made.append(await pay(web, mine, theirs, 4, "an old lunch, in clear"))
    return mei, mine, made


async def test_history_and_details_tell_memos(
    web: Web, paid: tuple[Caller, str, list[bytes]]
) -> None:
    mei, wallet, made = paid
    page = (await mei.call("GET", f"/v1/wallets/{wallet}/entries")).json()
    told = [item["memo"] for item in page["items"]]
    assert told == ["an old lunch, in clear", *reversed(MEMOS), None]
    for id, memo in zip(made, [*MEMOS, "an old lunch, in clear"], strict=True):
        shown = (await mei.call("GET", f"/v1/payments/{ids.write_uuid(id)}")).json()
        assert shown["memo"] == memo
        assert shown["postings"][0]["payee"]["name"] == "ravi"
    rows = await web.parts.database.fetch("SELECT reference FROM ledger.log ORDER BY n")
    in_log = "".join(row[0] or "" for row in rows)
    assert "Tiong" not in in_log
    assert "an old lunch" in in_log


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("lunch", ["an old lunch, in clear", MEMOS[0]]),
        ("TIONG", [MEMOS[0]]),
        ("strasse", [MEMOS[3]]),
        ("晚晚", [MEMOS[1]]),
        ("breakfast", []),
        ("\x01", []),
    ],
)
async def test_search_looks_into_sealed_memos(
    paid: tuple[Caller, str, list[bytes]], q: str, found: list[str]
) -> None:
    mei, wallet, _ = paid
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/v1/wallets/{wallet}/entries"
        params = {"q": q, "limit": "1", **({"cursor": cursor} if cursor else {})}
        answer = await mei.http.get(
            path,
            params=params,
            headers={"authorization": f"Bearer {mei.tokens['access_token']}"},
        )
        page = answer.json()
        assert len(page["items"]) <= 1
        seen += [item["memo"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == found
