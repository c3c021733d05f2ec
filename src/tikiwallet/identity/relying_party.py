"""WebAuthn's rules, pure: what is asked of authenticators, and what their answers must hold.

The relying party is the host of the public URL, its one origin that URL. Attestation is not asked
for: which make of authenticator somebody has is none of our business. Answers are read and checked
by py_webauthn; beyond it, answers given inside somebody else's frame are refused, the signature
counter is left to `passkeys`, and whether a passkey can be backed up must never change (Web
Authentication level 3, section 7.2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tikiwallet.errors import Problem

NAME: Final = "TikiWallet"
TIMEOUT_MS: Final = 300_000
CREDENTIAL_ID_MAX: Final = 1023  # bytes; Web Authentication's own bound
PUBLIC_KEY_MAX: Final = 2_200  # bytes; RSA with 16,384 bits fits
_PORTS: Final = {"http": 80, "https": 443}
# What clients answer when no attestation is wanted: nothing, or the passkey's own signature.
_FORMATS: Final = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})

Json = dict[str, Any]


class PasskeyInvalid(Problem):
    code = "passkey_invalid"
    title = "This passkey was not accepted; try again"


@dataclass(frozen=True, slots=True)
class Known:
    """A passkey as the authenticator is reminded of it."""

    credential_id: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What an authenticator made: its id, its public key (COSE), and what it says of itself."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a checked answer says: the signature counter, and whether a copy is kept elsewhere."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a host without a port, `origin` as browsers write it."""

    id: str
    origin: str

    @classmethod
    def of(cls, public_url: str) -> Self:
        """The relying party behind `https://wallet.example.org`, as settings have it."""
        parts = urlsplit(public_url)
        host = (parts.hostname or "").encode("idna").decode()
        shown = f"[{host}]" if ":" in host else host
        if parts.port is not None and parts.port != _PORTS.get(parts.scheme):
            shown = f"{shown}:{parts.port}"
        return cls(host, f"{parts.scheme}://{shown}")

    def registration_options(
        self, challenge: bytes, handle: bytes, username: str, shown: str, known: Iterable[Known]
    ) -> Json:
        """PublicKeyCredentialCreationOptionsJSON: a passkey that is found without a username, and
        that always asks who is there."""
        return options_to_json_dict(
            webauthn.generate_registration_options(
                rp_id=self.id,
                rp_name=NAME,
                user_id=handle,
                user_name=username,
                user_display_name=shown,
                challenge=challenge,
                timeout=TIMEOUT_MS,
                attestation=AttestationConveyancePreference.NONE,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED,
                    user_verification=UserVerificationRequirement.REQUIRED,
                ),
                exclude_credentials=_descriptors(known),
            )
        )

    def request_options(
        self, challenge: bytes, known: Iterable[Known], *, user_verification: bool
    ) -> Json:
        """PublicKeyCredentialRequestOptionsJSON; with nothing `known`, any passkey of this relying
        party may answer."""
        return options_to_json_dict(
            webauthn.generate_authentication_options(
                rp_id=self.id,
                challenge=challenge,
                timeout=TIMEOUT_MS,
                allow_credentials=_descriptors(known),
                user_verification=UserVerificationRequirement.REQUIRED
                if user_verification
                else UserVerificationRequirement.PREFERRED,
            )
        )

    def check_registration(self, credential: Json, challenge: bytes) -> NewCredential:
        """What a RegistrationResponseJSON to `challenge` brings. Raises `PasskeyInvalid`."""
        try:
            parsed = parse_registration_credential_json(credential)
            verified = webauthn.verify_registration_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
            elsewhere = _is_elsewhere(parsed.response.client_data_json)
        except Exception:  # strangers' bytes break parsers in many ways, and nothing else is here
            raise PasskeyInvalid from None
        if elsewhere or verified.fmt not in _FORMATS:
            raise PasskeyInvalid
        # The id that the authenticator's own data holds is the one that counts.
        if (
            verified.credential_id != parsed.raw_id
            or len(parsed.raw_id) > CREDENTIAL_ID_MAX
            or len(verified.credential_public_key) > PUBLIC_KEY_MAX
        ):
            raise PasskeyInvalid
        return NewCredential(
            verified.credential_id,
            verified.credential_public_key,
            verified.sign_count,
            verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            verified.credential_backed_up,
            tuple(sorted({word.value for word in parsed.response.transports or ()})),
        )

    def check_assertion(
        self, credential: Json, challenge: bytes, public_key: bytes, *, user_verification: bool
    ) -> Assertion:
        """What an AuthenticationResponseJSON to `challenge`, signed by `public_key`, says. The
        caller compares the counter. Raises `PasskeyInvalid`."""
        try:
            parsed = parse_authentication_credential_json(credential)
            verified = webauthn.verify_authentication_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,  # below every counter: that check is the caller's
                require_user_verification=user_verification,
            )
            elsewhere = _is_elsewhere(parsed.response.client_data_json)
        except Exception:  # as above
            raise PasskeyInvalid from None
        if elsewhere:
            raise PasskeyInvalid
        return Assertion(
            verified.new_sign_count,
            verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            verified.credential_backed_up,
        )


def challenge_in(credential: Mapping[str, Any]) -> bytes:
    """The challenge that an answer claims to answer; nothing is checked yet. Raises
    `PasskeyInvalid`."""
    try:
        written = base64url_to_bytes(credential["response"]["clientDataJSON"])
        return bytes(parse_client_data_json(written).challenge)
    except Exception:  # as above
        raise PasskeyInvalid from None


def identity_in(credential: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    """(credential id, user handle) that an answer names; nothing is checked yet. Raises
    `PasskeyInvalid`."""
    try:
        parsed = parse_authentication_credential_json(dict(credential))
        return parsed.raw_id, parsed.response.user_handle
    except Exception:  # as above
        raise PasskeyInvalid from None


def _is_elsewhere(client_data: bytes) -> bool:
    return bool(parse_client_data_json(client_data).cross_origin)


def _descriptors(known: Iterable[Known]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(word) for word in one.transports] or None,
        )
        for one in known
    ]
