"""What a person owes for offline payments."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from tikiwallet import base64url, clock
from tikiwallet.offline.debts import PAGE, Debt
from tikiwallet.web.api.bodies import Answer, MoneyAnswer
from tikiwallet.web.openapi import SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts

router = APIRouter(prefix="/v1/offline/debts", tags=["offline"])


class DebtAnswer(Answer):
    """`payment` is the hash of the payment that it comes from, `to` whom it is owed: the other side
    of that payment, or the guarantee fund that has paid them. `forgiven` is what was written off.
    `creditor_closed` and `written_off`: what is not paid is not collected any more."""

    payment: str
    to: Literal["person", "fund"]
    amount: MoneyAnswer
    paid: MoneyAnswer
    forgiven: MoneyAnswer
    state: Literal["open", "paid", "debtor_closed", "creditor_closed", "written_off"]
    since: str

    @classmethod
    def of(cls, debt: Debt) -> "DebtAnswer":
        """As JSON."""
        return cls.model_validate(
            {
                "payment": base64url.write(debt.pay_hash),
                "to": "fund" if debt.to_fund else "person",
                "amount": MoneyAnswer.of(debt.amount),
                "paid": MoneyAnswer.of(debt.paid),
                "forgiven": MoneyAnswer.of(debt.forgiven),
                "state": debt.state,
                "since": clock.write(debt.since),
            }
        )


class DebtsAnswer(Answer):
    """Newest first. `owed`: what keeps the account from being closed, by currency; with payments
    that are contested and may become debts."""

    owed: list[MoneyAnswer]
    items: list[DebtAnswer]
    next_cursor: str | None


@router.get(
    "",
    summary="What you owe for offline payments, newest first",
    responses=problems(*TOKEN_CODES, "bad_cursor", "unavailable"),
    openapi_extra=SIGNED_IN,
)
async def debts(
    principal: SignedIn,
    parts: WithParts,
    cursor: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = PAGE,
) -> DebtsAnswer:
    """It is taken from your wallet as money comes in."""
    collected = parts.offline.settling.debts
    found, following = await collected.page(principal.person, cursor, limit)
    return DebtsAnswer(
        owed=[MoneyAnswer.of(money) for money in await collected.owed(principal.person)],
        items=[DebtAnswer.of(debt) for debt in found],
        next_cursor=following,
    )
