"""What request and answer bodies have in common: strict, closed, integers for money."""

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tikiwallet import base64url
from tikiwallet.errors import InvalidRequest
from tikiwallet.money import AMOUNT_MAX, Money, currency

BASE64URL: Final = "^[A-Za-z0-9_-]+$"
WALLET_ID: Final = "^w_[0-9a-hjkmnp-tv-z]{13}$"
UUID: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["SGD"])]
WalletId = Annotated[str, Field(pattern=WALLET_ID, examples=["w_01k3x0q9v7b2m"])]
TransactionId = Annotated[str, Field(pattern=UUID)]


class Body(BaseModel):
    """A request body: unknown members are refused, nothing is converted, nothing is echoed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class NothingBody(Body):
    """`{}`: there is nothing to say."""


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True)


class MoneyBody(Body):
    """A sum that somebody asks for: `{"amount": 1250, "currency": "SGD"}`."""

    amount: Annotated[
        int, Field(ge=1, le=AMOUNT_MAX, description="in minor units", examples=[1250])
    ]
    currency: CurrencyCode

    def to_money(self) -> Money:
        """Raises UnknownCurrency."""
        return Money(self.amount, currency(self.currency))


class MoneyAnswer(Answer):
    """A sum that is told, in minor units."""

    amount: Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
    currency: CurrencyCode

    @classmethod
    def of(cls, money: Money) -> "MoneyAnswer":
        """`money` as JSON has it."""
        return cls(amount=money.amount, currency=money.currency.code)


def read_base64url(text: str) -> bytes:
    """Raises InvalidRequest for what is no base64url in its one right form."""
    try:
        return base64url.read(text)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def read_members(body: bytes) -> Any:
    """The value of a JSON body in which no object names a member twice: of two, readers would take
    different ones. Raises InvalidRequest, and ValueError for what is not JSON."""
    return json.loads(body, object_pairs_hook=_members)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidRequest("The body names a member twice")
    return members
