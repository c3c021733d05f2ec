"""A person's wallets with what is in them, as the ledger says."""

from fastapi import APIRouter, Response

from tikiwallet import clock
from tikiwallet.ledger.transactions import State
from tikiwallet.money import currency
from tikiwallet.wallets.wallets import Wallet
from tikiwallet.web.api.bodies import Answer, Body, CurrencyCode, WalletId
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/wallets", tags=["wallets"])


class OpenBody(Body):
    """The currency that the wallet shall hold."""

    currency: CurrencyCode


class WalletAnswer(Answer):
    """Integers in minor units of `currency`: `posted` is all there is, `held` is reserved of it,
    `available` can be spent, `offline` waits in offline passes."""

    id: WalletId
    currency: CurrencyCode
    available: int
    held: int
    posted: int
    offline: int
    created_at: str


class WalletsAnswer(Answer):
    """All wallets of a person, oldest first; there is at most one per currency."""

    items: list[WalletAnswer]


@router.get(
    "",
    summary="Your wallets and what is in them",
    responses=problems(*TOKEN_CODES, "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def list_wallets(principal: SignedIn, parts: WithParts) -> WalletsAnswer:
    """Balances are committed ones: a payment that was acknowledged is in them."""
    wallets = await parts.wallets.of_person(principal.person)
    states = await parts.ledger.states([wallet.id for wallet in wallets]) if wallets else []
    return WalletsAnswer(
        items=[_answer(wallet, state) for wallet, state in zip(wallets, states, strict=True)]
    )


@router.post(
    "",
    status_code=201,
    summary="Open a wallet in a currency",
    responses={
        200: {"model": WalletAnswer, "description": "You have this wallet already"},
        **problems(*TOKEN_CODES, *BODY_CODES, "unknown_currency", "overloaded", "unavailable"),
    },
    openapi_extra=SIGNED_IN,
)
async def open_wallet(
    body: OpenBody, principal: SignedIn, parts: WithParts, response: Response
) -> WalletAnswer:
    """Asking again gives the same wallet."""
    wallet, created = await parts.wallets.open_wallet(principal.person, currency(body.currency))
    parts.directory.remember(wallet)
    [state] = await parts.ledger.states([wallet.id])
    if not created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/wallets/{wallet.written_id}/balance"
    return _answer(wallet, state)


def _answer(wallet: Wallet, state: State | None) -> WalletAnswer:
    # No account yet: the process that made the wallet died before it opened one. It is empty.
    return WalletAnswer(
        id=wallet.written_id,
        currency=wallet.currency.code,
        available=state.available if state else 0,
        held=state.held if state else 0,
        posted=state.posted if state else 0,
        offline=0,
        created_at=clock.rfc3339(wallet.created_at),
    )
