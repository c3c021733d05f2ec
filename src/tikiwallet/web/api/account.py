"""What people do with their own account: profile, password, PIN, number, export, closing."""

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from tikiwallet import clock
from tikiwallet.identity.limits import EXPORTS_PER_PERSON
from tikiwallet.identity.payer_facts import PIN_FREE_MOST_SGD
from tikiwallet.identity.profile import ProfileChanges
from tikiwallet.identity.security_events import EventKind
from tikiwallet.languages import LANGUAGES
from tikiwallet.money import currency
from tikiwallet.web import export
from tikiwallet.web.api.bodies import UUID, Answer, Body, CurrencyCode
from tikiwallet.web.api.me import MeAnswer, told
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts
from tikiwallet.web.step_up import STEP_UP_CODES, SteppedUp
from tikiwallet.web.tokens_answer import signed_out

router = APIRouter(prefix="/v1/me", tags=["me"])

_Password = Annotated[str, Field(min_length=1, max_length=1000)]
_Pin = Annotated[str, Field(pattern="^[0-9]{6}$")]
_Code = Annotated[str, Field(min_length=1, max_length=12, examples=["123456"])]
_Id = Annotated[str, Field(min_length=1, max_length=64)]


class ThresholdBody(Body):
    """A sum in Singapore dollars, in cents; in other currencies its rough worth holds."""

    amount: Annotated[int, Field(ge=0, le=PIN_FREE_MOST_SGD)]
    currency: Annotated[str, Field(pattern="^SGD$")]


class NoticesBody(Body):
    """What shall be told; what concerns security always is."""

    payments: bool | None = None
    news: bool | None = None


class ProfileBody(Body):
    """What shall change. A `pin_threshold` of null is the default; a higher one than now needs
    `pin`, or a sign-in that was confirmed within the last ten minutes."""

    display_name: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    language: Annotated[str, Field(pattern=f"^({'|'.join(LANGUAGES)})$")] | None = None
    home_currency: CurrencyCode | None = None
    pin_threshold: ThresholdBody | None = None
    notices: NoticesBody | None = None
    pin: _Pin | None = None

    def changes(self) -> ProfileChanges:
        """In identity's words. Raises UnknownCurrency."""
        found = ProfileChanges()
        if self.display_name is not None:
            found["display_name"] = self.display_name
        if self.language is not None:
            found["language"] = self.language
        if self.home_currency is not None:
            found["home_currency"] = currency(self.home_currency).number
        if "pin_threshold" in self.model_fields_set:
            wanted = self.pin_threshold
            found["pin_threshold"] = None if wanted is None else wanted.amount
        if self.notices is not None and self.notices.payments is not None:
            found["notice_payments"] = self.notices.payments
        if self.notices is not None and self.notices.news is not None:
            found["notice_news"] = self.notices.news
        return found


class PasswordBody(Body):
    """The password that holds now, and the new one. Who has a second factor needs a sign-in that
    was confirmed within ten minutes as well; so does who has no password yet, because they sign in
    through somebody else, and leaves the first out."""

    current_password: _Password | None = None
    password: _Password


class PhoneBody(Body):
    """The new number."""

    phone: Annotated[str, Field(min_length=1, max_length=40, examples=["+6591234567"])]


class ChangeBegunAnswer(Answer):
    """A code is on its way to the new number, another to the old one."""

    change_id: Annotated[str, Field(pattern=UUID)]


class ChangeCodeBody(Body):
    """A code that arrived by SMS."""

    change_id: _Id
    code: _Code


class EffectiveAnswer(Answer):
    """When the new number takes effect; null while it is not proven."""

    effective_at: str | None


class PendingChangeAnswer(Answer):
    """The change of number under way."""

    change_id: Annotated[str, Field(pattern=UUID)]
    phone: str
    effective_at: str | None


class PhoneAnswer(Answer):
    """`pending` null: your number stays."""

    pending: PendingChangeAnswer | None


class CloseBody(Body):
    """The password. Who has a second factor needs a sign-in that was confirmed within ten minutes
    as well; so does who never set a password, and leaves it out."""

    password: _Password | None = None


@router.patch(
    "",
    summary="Change your name, language, home currency, PIN threshold or notices",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "not_found",
        "name_invalid",
        "unknown_currency",
        "reauthentication_required",
        "pin_wrong",
        "pin_locked",
        "pin_not_set",
        "pin_malformed",
        "overloaded",
    ),
    openapi_extra=SIGNED_IN,
)
async def change(body: ProfileBody, principal: SignedIn, parts: WithParts) -> MeAnswer:
    """All of it or nothing."""
    await parts.identity.account.profile.change(
        principal.person, principal.session, body.changes(), body.pin
    )
    return await told(parts, principal.person)


@router.put(
    "/password",
    status_code=204,
    summary="Change your password; all your other sign-ins end",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "not_found",
        "password_wrong",
        "reauthentication_required",
        "password_weak",
        "too_many_requests",
        "overloaded",
    ),
    openapi_extra=SIGNED_IN,
)
async def change_password(body: PasswordBody, principal: SignedIn, parts: WithParts) -> Response:
    """This sign-in stays."""
    await parts.identity.account.password_change.change(
        principal.person, principal.session, body.current_password, body.password
    )
    return Response(status_code=204)


@router.delete(
    "/pin",
    status_code=204,
    summary="Remove a forgotten or locked PIN",
    responses=problems(*TOKEN_CODES, "not_found", "reauthentication_required", "pin_not_set"),
    openapi_extra=SIGNED_IN,
)
async def reset_pin(principal: SignedIn, parts: WithParts) -> Response:
    """Then set a new one. For a day only small sums can be paid."""
    await parts.identity.account.pin_reset.reset(principal.person, principal.session)
    return Response(status_code=204)


@router.get(
    "/phone",
    summary="Whether your number is about to change",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def pending_phone(principal: SignedIn, parts: WithParts) -> PhoneAnswer:
    """Stop it if it is not you."""
    pending = await parts.identity.account.phone_change.pending(principal.person)
    if pending is None:
        return PhoneAnswer(pending=None)
    at = pending.effective_at
    return PhoneAnswer(
        pending=PendingChangeAnswer(
            change_id=pending.id,
            phone=pending.phone,
            effective_at=None if at is None else clock.write(at),
        )
    )


@router.post(
    "/phone",
    status_code=202,
    summary="Move your account to another number",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "not_found",
        "phone_invalid",
        "reauthentication_required",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
    ),
    openapi_extra=SIGNED_IN,
)
async def begin_phone(body: PhoneBody, principal: SignedIn, parts: WithParts) -> ChangeBegunAnswer:
    """Whether that number has an account already is not told."""
    id = await parts.identity.account.phone_change.begin(
        principal.person, principal.session, body.phone
    )
    return ChangeBegunAnswer(change_id=id)


@router.post(
    "/phone/verify",
    summary="The code that went to the new number",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "code_wrong", "code_expired"),
    openapi_extra=SIGNED_IN,
)
async def prove_phone(
    body: ChangeCodeBody, principal: SignedIn, parts: WithParts
) -> EffectiveAnswer:
    """The new number takes effect after a waiting time, or at once if the old one agreed."""
    at = await parts.identity.account.phone_change.prove(
        principal.person, body.change_id, body.code, principal.session
    )
    return EffectiveAnswer(effective_at=clock.write(at))


@router.post(
    "/phone/confirm",
    summary="The code that went to the old number: no waiting time then",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "code_wrong", "code_expired"),
    openapi_extra=SIGNED_IN,
)
async def agree_phone(
    body: ChangeCodeBody, principal: SignedIn, parts: WithParts
) -> EffectiveAnswer:
    """Before or after the code of the new number."""
    at = await parts.identity.account.phone_change.agree(
        principal.person, body.change_id, body.code, principal.session
    )
    return EffectiveAnswer(effective_at=None if at is None else clock.write(at))


@router.delete(
    "/phone",
    status_code=204,
    summary="Your number stays as it is",
    responses=problems(*TOKEN_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def cancel_phone(principal: SignedIn, parts: WithParts) -> Response:
    """Stops a change of number that is under way."""
    await parts.identity.account.phone_change.cancel(principal.person, principal.session)
    return Response(status_code=204)


@router.get(
    "/export",
    summary="Everything we have of you, as one JSON document",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Streamed; an answer that breaks off is not complete JSON.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems(*STEP_UP_CODES, "too_many_requests"),
    },
    openapi_extra=SIGNED_IN,
)
async def export_all(principal: SteppedUp, parts: WithParts) -> StreamingResponse:
    """A few times a day; it is noted in the audit trail."""
    await parts.identity.limits.take(EXPORTS_PER_PERSON, str(principal.person))
    await parts.identity.events.record(
        parts.database, principal.person, EventKind.EXPORTED, session=principal.session
    )
    return StreamingResponse(
        export.write(parts, principal.person),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="tikiwallet-account.json"'},
    )


@router.post(
    "/close",
    status_code=204,
    summary="Close your account for good",
    responses=problems(
        *TOKEN_CODES,
        *BODY_CODES,
        "balance_not_zero",
        "debt_open",
        "password_wrong",
        "reauthentication_required",
        "too_many_requests",
        "overloaded",
        "unavailable",
    ),
    openapi_extra=SIGNED_IN,
)
async def close(body: CloseBody, principal: SignedIn, parts: WithParts) -> Response:
    """All wallets must be empty, and nothing owed for offline payments. Your name and number are
    free for others after 30 days; what the ledger's log holds stays."""
    await parts.identity.account.password_change.prove(
        principal.person, principal.session, body.password
    )
    await parts.closing.close(principal.person)
    return signed_out(parts.cookies, Response(status_code=204))
