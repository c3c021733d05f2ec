"""The second step of a sign-in, and switching second factors on and off."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from tikiwallet.errors import NotFound
from tikiwallet.identity.sessions import Factor
from tikiwallet.web.api.bodies import Answer, Body, NothingBody
from tikiwallet.web.api.passkeys import Credential, OptionsAnswer, PasskeyAnswer
from tikiwallet.web.openapi import BODY_CODES, SIGNED_IN, TOKEN_CODES, problems
from tikiwallet.web.parts import SignedIn, WithParts, address_of, device_of
from tikiwallet.web.step_up import STEP_UP_CODES, SteppedUp
from tikiwallet.web.tokens_answer import RECEIVER_CODES, Receiver, SignedInAnswer

router = APIRouter(prefix="/v1", tags=["second factors"])

_ChallengeId = Annotated[str, Field(min_length=1, max_length=64)]
_Code = Annotated[str, Field(min_length=1, max_length=40, examples=["123456", "k7md-9x2p-4qwz"])]


class SecondFactorBody(Body):
    """A code for the challenge of a sign-in; without a `method`, of whichever it is one."""

    challenge_id: _ChallengeId
    code: _Code
    method: Literal["totp", "sms", "recovery_code"] | None = None


class ChallengeBody(Body):
    """The challenge of a sign-in."""

    challenge_id: _ChallengeId


class ChallengePasskeyBody(Body):
    """A passkey's answer to the options for this challenge."""

    challenge_id: _ChallengeId
    credential: Credential


class CodeBody(Body):
    """What the authenticator app shows."""

    code: Annotated[str, Field(pattern="^[0-9]{6}$", examples=["123456"])]


class EnabledBody(Body):
    """On or off."""

    enabled: bool


class SentAnswer(Answer):
    """Another code may be asked for in `retry_after` seconds."""

    retry_after: int


class SecondFactorsAnswer(Answer):
    """What signs this person in beside the password."""

    totp: bool
    sms: bool
    recovery_codes_left: int
    passkeys: list[PasskeyAnswer]


class TotpAnswer(Answer):
    """For the authenticator app: the secret in base 32, and as an `otpauth:` address for a QR code.
    Neither can be asked for again."""

    secret: str
    uri: str


class RecoveryCodesAnswer(Answer):
    """To be kept on paper: each works once, and none can be asked for again."""

    recovery_codes: list[str]


@router.post(
    "/auth/second-factor",
    tags=["auth"],
    summary="Finish a sign-in with a code",
    responses=problems(
        *BODY_CODES,
        *RECEIVER_CODES,
        "second_factor_unknown",
        "second_factor_unavailable",
        "code_wrong",
        "code_expired",
        "too_many_requests",
    ),
)
async def second_factor(
    body: SecondFactorBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """Of the authenticator app, by SMS, or a recovery code. Five tries, five minutes."""
    method = None if body.method is None else Factor(body.method)
    return receiver.hand_over(
        await parts.identity.second_step.answer(
            body.challenge_id,
            body.code,
            method,
            address_of(request),
            device=device_of(request),
        )
    )


@router.post(
    "/auth/second-factor/sms",
    tags=["auth"],
    status_code=202,
    summary="Have a code sent for a sign-in",
    responses=problems(
        *BODY_CODES,
        "second_factor_unknown",
        "second_factor_unavailable",
        "too_many_requests",
        "phone_unreachable",
        "code_not_sent",
    ),
)
async def second_factor_sms(body: ChallengeBody, request: Request, parts: WithParts) -> SentAnswer:
    """Only the newest code works."""
    step = parts.identity.second_step
    return SentAnswer(retry_after=await step.send_sms(body.challenge_id, address_of(request)))


@router.post(
    "/auth/second-factor/passkey/options",
    tags=["auth"],
    summary="What to ask a passkey for, to finish a sign-in",
    responses=problems(
        *BODY_CODES, "second_factor_unknown", "second_factor_unavailable", "too_many_requests"
    ),
)
async def second_factor_passkey_options(body: ChallengeBody, parts: WithParts) -> OptionsAnswer:
    """One of the person's own."""
    options = await parts.identity.second_step.passkey_options(body.challenge_id)
    return OptionsAnswer(public_key=options)


@router.post(
    "/auth/second-factor/passkey",
    tags=["auth"],
    summary="Finish a sign-in with a passkey",
    responses=problems(*BODY_CODES, *RECEIVER_CODES, "second_factor_unknown", "passkey_invalid"),
)
async def second_factor_passkey(
    body: ChallengePasskeyBody, request: Request, receiver: Receiver, parts: WithParts
) -> SignedInAnswer:
    """Five tries, each with options of its own."""
    return receiver.hand_over(
        await parts.identity.second_step.answer_passkey(
            body.challenge_id, body.credential, address_of(request), device=device_of(request)
        )
    )


@router.get(
    "/me/second-factors",
    summary="Your second factors and passkeys",
    responses=problems(*TOKEN_CODES),
    openapi_extra=SIGNED_IN,
)
async def second_factors(principal: SignedIn, parts: WithParts) -> SecondFactorsAnswer:
    """Passkeys in the order in which they were added."""
    factors = await parts.identity.second_factors.factors(principal.person)
    passkeys = await parts.identity.passkeys.all(principal.person)
    return SecondFactorsAnswer(
        totp=factors.totp,
        sms=factors.sms,
        recovery_codes_left=factors.recovery_codes,
        passkeys=[PasskeyAnswer.of(passkey) for passkey in passkeys],
    )


@router.post(
    "/me/totp",
    status_code=201,
    summary="Begin to set up an authenticator app",
    responses=problems(*STEP_UP_CODES, *BODY_CODES, "not_found"),
    openapi_extra=SIGNED_IN,
)
async def begin_totp(_body: NothingBody, principal: SteppedUp, parts: WithParts) -> TotpAnswer:
    """Nothing changes until its first code is told, within ten minutes."""
    person = await parts.identity.people.person(principal.person)
    if person is None:
        raise NotFound("this person is gone")
    draft = await parts.identity.totp.begin(person.id, person.username)
    return TotpAnswer(secret=draft.secret, uri=draft.uri)


@router.post(
    "/me/totp/confirm",
    summary="Switch the authenticator app on with its first code",
    responses=problems(*TOKEN_CODES, *BODY_CODES, "code_wrong", "totp_not_begun"),
    openapi_extra=SIGNED_IN,
)
async def confirm_totp(
    body: CodeBody, principal: SignedIn, parts: WithParts
) -> RecoveryCodesAnswer:
    """New recovery codes come along; former ones stop to work."""
    codes = await parts.identity.second_factors.confirm_totp(principal.person, body.code)
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.delete(
    "/me/totp",
    status_code=204,
    summary="Switch the authenticator app off",
    responses=problems(*STEP_UP_CODES),
    openapi_extra=SIGNED_IN,
)
async def remove_totp(principal: SteppedUp, parts: WithParts) -> Response:
    """It need not be on."""
    await parts.identity.second_factors.remove_totp(principal.person)
    return Response(status_code=204)


@router.put(
    "/me/sms-factor",
    status_code=204,
    summary="Switch codes by SMS on or off",
    responses=problems(*STEP_UP_CODES, *BODY_CODES),
    openapi_extra=SIGNED_IN,
)
async def set_sms_factor(body: EnabledBody, principal: SteppedUp, parts: WithParts) -> Response:
    """They go to the phone number that signs in."""
    await parts.identity.second_factors.set_sms(principal.person, body.enabled)
    return Response(status_code=204)


@router.post(
    "/me/recovery-codes",
    summary="Get new recovery codes",
    responses=problems(*STEP_UP_CODES, *BODY_CODES, "second_factor_off"),
    openapi_extra=SIGNED_IN,
)
async def new_recovery_codes(
    _body: NothingBody, principal: SteppedUp, parts: WithParts
) -> RecoveryCodesAnswer:
    """The former stop to work."""
    codes = await parts.identity.second_factors.new_recovery_codes(principal.person)
    return RecoveryCodesAnswer(recovery_codes=codes)
