"""Sealing with one key derived from the server secret: AES-256-GCM, a random nonce before it."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tikiwallet.identity.keys import ServerSecret

_NONCE_BYTES = 12


class ServerSealing:
    """Implements `totp.Sealing`."""

    def __init__(self, secret: ServerSecret) -> None:
        self._key = AESGCM(secret.subkey("sealing"))

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """`plain`, readable only with the key, and only under the same `context`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed under `context`. Raises cryptography's `InvalidTag`."""
        return self._key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
