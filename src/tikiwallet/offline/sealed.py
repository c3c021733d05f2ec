"""Signed messages at rest: those that hold a name or a memo are sealed, as other personal data.

A PASS holds its person's name and what a phone number can be tried out against, an INVITE its
payee's PASS and a memo, a PAY its payer's PASS. RECEIPT, VOID and CLOSE hold neither.
"""

from collections.abc import Sequence
from typing import Final

from tikiwallet.identity.sealing import SealedColumn, Sealing
from tikiwallet.offline.wire.messages import bundled, unbundled

DEVICE_NAME: Final = SealedColumn("offline.device", "name_sealed")
PASS: Final = SealedColumn("offline.pass", "message_sealed")
CLAIM_INVITE: Final = SealedColumn("offline.claim", "invite_sealed", key="pay_hash")
CLAIM_PAY: Final = SealedColumn("offline.claim", "pay_sealed", key="pay_hash")
VOID_INVITE: Final = SealedColumn("offline.void", "invite_sealed", key="hash")
_CONFLICT: Final = SealedColumn("offline.conflict", "messages_sealed")
SEALED: Final = (DEVICE_NAME, PASS, CLAIM_INVITE, CLAIM_PAY, VOID_INVITE, _CONFLICT)


def seal_proof(sealing: Sealing, conflict: int, messages: Sequence[bytes]) -> bytes:
    """What to keep of the messages that prove a conflict."""
    return _CONFLICT.seal_bytes(sealing, conflict, bundled(messages))


def open_proof(sealing: Sealing, conflict: int, sealed: bytes) -> tuple[bytes, ...]:
    """The messages that prove a conflict. Raises `SealBroken`."""
    return unbundled(_CONFLICT.open_bytes(sealing, conflict, sealed))
