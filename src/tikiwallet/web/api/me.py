"""The person who is signed in, their PIN, and the names of others to confirm."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field

from tikiwallet import clock, ids
from tikiwallet.errors import NotFound
from tikiwallet.identity.limits import NAMES_PER_PERSON
from tikiwallet.identity.payer_facts import PIN_FREE_SGD
from tikiwallet.money import BY_NUMBER, CURRENCIES, Money
from tikiwallet.wallets.wallets import CEILING_SGD, PREFIX
from tikiwallet.web.api.bodies import Answer, Body, CurrencyCode, MoneyAnswer
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import Parts, SignedIn, WithParts

router = APIRouter(prefix="/v1", tags=["me"])

TIER: Final = "sandbox"  # every person's, as long as the card and SMS providers are the sandbox
_SGD: Final = CURRENCIES["SGD"]


class LimitsAnswer(Answer):
    """Limits in Singapore dollars; in other currencies their rough worth holds."""

    wallet_ceiling: MoneyAnswer
    payment_without_pin: MoneyAnswer


class NoticesChoice(Answer):
    """What the person is told of; what concerns security always is."""

    security: Literal[True] = True
    payments: bool
    news: bool


class MeAnswer(Answer):
    """The person who asks. `pin_threshold` is their own (null: the default), `restricted_until` the
    end of lower limits after a recovery (null: none hold)."""

    person_id: str
    phone: str
    username: str
    display_name: str
    created_at: str
    tier: str
    limits: LimitsAnswer
    pin_set: bool
    language: str | None  # none is known: as the device has it, text messages in English
    home_currency: CurrencyCode
    pin_threshold: MoneyAnswer | None
    notices: NoticesChoice
    restricted_until: str | None
    second_factor: bool


class PinBody(Body):
    """`current_pin` is needed once there is a PIN."""

    pin: Annotated[str, Field(pattern="^[0-9]{6}$")]
    current_pin: Annotated[str, Field(pattern="^[0-9]{6}$")] | None = None


class NameAnswer(Answer):
    """Whom `to` means, for the payer to confirm."""

    to: str
    name: str


@router.get(
    "/me",
    summary="Who you are, your tier and limits",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def me(principal: SignedIn, parts: WithParts) -> MeAnswer:
    """Limits are the tier's, the PIN threshold the person's own."""
    return await told(parts, principal.person)


async def told(parts: Parts, id: int) -> MeAnswer:
    """What a person is told of themselves. Raises NotFound for a closed account."""
    person = await parts.identity.people.person(id)
    if person is None:
        raise NotFound("this person is gone")
    threshold = PIN_FREE_SGD if person.pin_threshold is None else person.pin_threshold
    until = person.restricted_until
    restricted = until is not None and clock.to_us(until) > clock.now_us()
    return MeAnswer(
        person_id=person.text_id,
        phone=person.phone,
        username=person.username,
        display_name=person.display_name,
        created_at=clock.write(person.created_at),
        tier=TIER,
        limits=LimitsAnswer(
            wallet_ceiling=MoneyAnswer.of(Money(CEILING_SGD, _SGD)),
            payment_without_pin=MoneyAnswer.of(Money(threshold, _SGD)),
        ),
        pin_set=await parts.identity.pins.is_set(person.id),
        language=person.language,
        home_currency=BY_NUMBER[person.home_currency].code,
        pin_threshold=None
        if person.pin_threshold is None
        else MoneyAnswer.of(Money(person.pin_threshold, _SGD)),
        notices=NoticesChoice(payments=person.notice_payments, news=person.notice_news),
        restricted_until=clock.write(until) if until and restricted else None,
        second_factor=await parts.identity.second_factors.is_on(person.id),
    )


@router.put(
    "/me/pin",
    status_code=204,
    summary="Set or change the payment PIN",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "pin_weak",
        "pin_malformed",
        "pin_wrong",
        "pin_locked",
        "current_pin_required",
        "reauthentication_required",
        "overloaded",
    ),
    openapi_extra=SIGNED_IN,
)
async def set_pin(body: PinBody, principal: SignedIn, parts: WithParts) -> Response:
    """Six digits that are not the first ones a thief would try. Who has no PIN yet must have
    signed in or confirmed within ten minutes: a stolen token shall not set one."""
    if not await parts.identity.pins.is_set(principal.person):
        await parts.identity.step_up.require(principal.session)
    await parts.identity.pins.set_pin(principal.person, body.pin, body.current_pin)
    return Response(status_code=204)


@router.get(
    "/names/{to}",
    summary="The name behind a phone, a @username or a wallet, to confirm before paying",
    responses=problems(*TOKEN_CODES, "not_found", "phone_invalid", "too_many_requests"),
    openapi_extra=SIGNED_IN,
)
async def name(
    to: Annotated[str, Path(min_length=1, max_length=64)], principal: SignedIn, parts: WithParts
) -> NameAnswer:
    """Limited per day and person, found or not."""
    wallet = ids.read_id(PREFIX, to)
    if wallet is None:
        found = await parts.identity.people.name_to_confirm(principal.person, to)
    else:
        found = await _owner_of(wallet, principal.person, parts)
    return NameAnswer(to=to, name=found)


async def _owner_of(wallet: int, asker: int, parts: Parts) -> str:
    await parts.identity.limits.take(NAMES_PER_PERSON, str(asker))
    facts = (await parts.directory.load([wallet])).get(wallet)
    person = None if facts is None else await parts.identity.people.person(facts.person)
    if person is None:
        raise NotFound("there is no such wallet")
    return person.display_name
