"""Whose signatures hold: the pinned root signs issuer keys, those sign passes and revocations, and
the key in a pass signs its device's messages."""

from typing import Final

from tikiwallet.offline.wire.cbor import Malformed
from tikiwallet.offline.wire.cose import kid_of
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import Invite, IssuerKey, IssuerKeys, Pass, Pay, Revocations
from tikiwallet.recent import Recent

_REMEMBERED: Final = 16_384  # passes; 255 bytes each


class Trust:
    """What one root vouches for. Passes found to be the issuer's are remembered by all their bytes:
    their hash leaves the signature out, and a spoilt one must not pass where others refuse it."""

    def __init__(self, root: bytes, keys: IssuerKeys | None = None) -> None:
        """Raises `Malformed` when `root` is no key, or did not sign `keys`."""
        self._root = PublicKey(root)
        self._serial = -1
        self._keys: dict[bytes, IssuerKey] = {}
        self._issued = Recent[bytes, bool](_REMEMBERED)
        if keys is not None and not self.learn(keys):
            raise Malformed("KEYS that this root did not sign")

    def learn(self, keys: IssuerKeys) -> bool:
        """Use these issuer keys from now on; False when they are not the root's or not newer."""
        if keys.serial <= self._serial or not self._is_by_root(keys):
            return False
        self._serial = keys.serial
        self._keys = {key.kid: key for key in keys.keys}
        self._issued.clear()
        return True

    def has_issued(self, message: Pass | Revocations) -> bool:
        """Did an issuer key sign this, in the time that is the key's?"""
        if isinstance(message, Revocations):
            return self._has_signed(message, message.time)
        if self._issued.get(message.raw):
            return True
        if not self._has_signed(message, message.not_before):
            return False
        self._issued.put(message.raw, True)
        return True

    def holds(self, message: Invite | Pay) -> bool:
        """Is its pass the issuer's, and its signature the pass's?"""
        held = message.payee if isinstance(message, Invite) else message.payer
        return self.has_issued(held) and message.is_signed_by(held.key)

    def _is_by_root(self, keys: IssuerKeys) -> bool:
        return keys.kid == kid_of(self._root.raw) and keys.is_signed_by(self._root)

    def _has_signed(self, message: Pass | Revocations, time: int) -> bool:
        key = self._keys.get(message.kid)
        if key is None or not key.not_before <= time <= key.not_after:
            return False
        return message.is_signed_by(key.key)
