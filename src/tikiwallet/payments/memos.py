"""Memos at rest: what a payer wrote, sealed before it reaches the append-only log.

The log's `reference` is text of at most 512 characters, and a sealed memo of 140 letters can have
592 bytes. So there are two forms, each after a control character that no memo may hold:

- `\\x01` and base 64, while that fits;
- `\\x02` and the same base 64 read as UTF-16: half as many characters. Two ASCII letters together
  are never a surrogate, nor NUL.

Anything else is a memo from before sealing and stands in clear. A memo opens only in its own
transaction.
"""

import binascii
from typing import Final

from tikiwallet import ids, logs
from tikiwallet.identity.sealing import SealBroken, Sealing
from tikiwallet.ledger.transactions import REFERENCE_MAX

_PLAIN_FORM: Final = "\x01"
_DENSE_FORM: Final = "\x02"
_CONTEXT: Final = b"ledger.log.reference "
_log = logs.get(__name__)


class Memos:
    """Seals memos for the ledger's `reference` and opens what stands there. No call waits."""

    def __init__(self, sealing: Sealing) -> None:
        self._seal = sealing.seal
        self._open = sealing.open

    def seal(self, transaction_id: bytes, memo: str) -> str:
        """What to give the ledger as the `reference` of a transaction; nothing for no memo."""
        if not memo:
            return ""
        sealed = self._seal(memo.encode(), _CONTEXT + transaction_id)
        letters = binascii.b2a_base64(sealed, newline=False)
        if len(letters) < REFERENCE_MAX:
            return _PLAIN_FORM + letters.decode("ascii")
        return _DENSE_FORM + letters.decode("utf-16-le")

    def open(self, transaction_id: bytes, reference: str | None) -> str | None:
        """The memo in a `reference`; None where there is none. One that does not open (altered, or
        a key file is missing) is told as none, and in the log as an error."""
        if not reference:
            return None
        form = reference[0]
        if form == _PLAIN_FORM:
            letters = reference[1:].encode("ascii", "replace")
        elif form == _DENSE_FORM:
            letters = reference[1:].encode("utf-16-le", "replace")
        else:
            return reference
        try:
            sealed = binascii.a2b_base64(letters, strict_mode=True)
            return self._open(sealed, _CONTEXT + transaction_id).decode()
        except (SealBroken, binascii.Error) as error:
            _log.error(
                "a memo does not open", transaction=ids.write_uuid(transaction_id), why=str(error)
            )
            return None
