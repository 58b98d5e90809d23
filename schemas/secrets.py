"""Secrets at rest: AES-256-GCM under a key derived for each tenant (HKDF-SHA256, RFC 5869)."""

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.errors import SchemaError

_PREFIX = "enc:v1:"
_NONCE_BYTES = 12
MIN_KEY_BYTES = 32


class SecretUnreadable(SchemaError):
    """The value was encrypted under another key or for another tenant, or was damaged."""


class SecretBox:
    """Encrypts and decrypts short strings for a tenant. The master key never leaves it."""

    def __init__(self, master_key: bytes) -> None:
        """`master_key`: at least 32 random bytes (`HOPLINE_SECRET_KEY`), else `ValueError`."""
        if len(master_key) < MIN_KEY_BYTES:
            raise ValueError(f"the secret key has {len(master_key)} bytes, it needs at least {MIN_KEY_BYTES}")
        self._master_key = master_key
        self._cipher = lru_cache(maxsize=4096)(self._derive)

    def encrypt(self, tenant_id: str, secret: str) -> str:
        """Text that begins with `enc:v1:`; encrypting the same secret twice gives different texts."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher(tenant_id).encrypt(nonce, secret.encode(), tenant_id.encode())
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def decrypt(self, tenant_id: str, text: str) -> str:
        """The secret. Raises `SecretUnreadable`."""
        if not self.is_encrypted(text):
            raise SecretUnreadable("not an encrypted value")
        try:
            raw = base64.urlsafe_b64decode(text.removeprefix(_PREFIX))
            cipher = self._cipher(tenant_id)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], tenant_id.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as wrong:
            raise SecretUnreadable("encrypted under another key (HOPLINE_SECRET_KEY), or damaged") from wrong

    @staticmethod
    def is_encrypted(text: str) -> bool:
        """Tells a value that has been encrypted from one that a user has just given."""
        return text.startswith(_PREFIX)

    def _derive(self, tenant_id: str) -> AESGCM:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"hopline/tenant/" + tenant_id.encode())
        return AESGCM(derived.derive(self._master_key))
