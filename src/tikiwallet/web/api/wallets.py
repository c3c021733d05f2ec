"""A person's wallets with what is in them, as the ledger says."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Response

from tikiwallet import clock
from tikiwallet.ledger.transactions import State
from tikiwallet.money import currency
from tikiwallet.offline.records import PassRecord, PassState
from tikiwallet.wallets.wallets import Wallet
from tikiwallet.web.api.bodies import Answer, Body, CurrencyCode, WalletId
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import Parts, SignedIn, WithParts

router = APIRouter(prefix="/v1/wallets", tags=["wallets"])


class OpenBody(Body):
    """The currency that the wallet shall hold."""

    currency: CurrencyCode


class WalletAnswer(Answer):
    """Integers in minor units of `currency`: `posted` is all there is, `held` is reserved of it,
    `available` can be spent. Besides, `offline` is in open passes, to be spent without a network,
    `returning` in those that are over: it comes back when nothing can be claimed any more."""

    id: WalletId
    currency: CurrencyCode
    available: int
    held: int
    posted: int
    offline: int
    returning: int
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
    return WalletsAnswer(items=await _answers(parts, principal.person, wallets))


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
    if not created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/wallets/{wallet.written_id}/balance"
    [answer] = await _answers(parts, principal.person, [wallet])
    return answer


async def _answers(parts: Parts, person: int, wallets: list[Wallet]) -> list[WalletAnswer]:
    """One question for all accounts, so that no money is on its way between two answers."""
    passes = await parts.offline.passes.holding(person) if wallets else []
    escrows = [record.escrow for record in passes if record.escrow is not None]
    accounts = [*(wallet.id for wallet in wallets), *escrows]
    found = await parts.ledger.states(accounts) if accounts else []
    states = dict(zip(accounts, found, strict=True))
    return [
        _answer(wallet, states[wallet.id], *_in_passes(wallet, passes, states))
        for wallet in wallets
    ]


def _in_passes(
    wallet: Wallet, passes: Sequence[PassRecord], states: Mapping[int, State | None]
) -> tuple[int, int]:
    """What of a wallet's money is in open passes, and what in those that are over."""
    sums = {True: 0, False: 0}
    for record in passes:
        state = states.get(record.escrow or 0)
        if record.wallet == wallet.id and state is not None:
            is_open = record.state_at(clock.now_us()) in (PassState.RESERVING, PassState.OPEN)
            sums[is_open] += state.posted
    return sums[True], sums[False]


def _answer(wallet: Wallet, state: State | None, offline: int, returning: int) -> WalletAnswer:
    # No account yet: the process that made the wallet died before it opened one. It is empty.
    return WalletAnswer(
        id=wallet.written_id,
        currency=wallet.currency.code,
        available=state.available if state else 0,
        held=state.held if state else 0,
        posted=state.posted if state else 0,
        offline=offline,
        returning=returning,
        created_at=clock.rfc3339(wallet.created_at),
    )
