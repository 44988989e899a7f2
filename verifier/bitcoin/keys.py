"""Keys and signatures on secp256k1.

libsecp256k1 through `btclib-secp256k1`: one typed binding has BIP340, tweaks, ECDSA and MuSig2, and the
library that Bitcoin Core itself runs beats arithmetic of our own.
"""

from __future__ import annotations

from btclib_secp256k1 import dsa, keys, ssa, xonly

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KeyFault(ValueError):
    """Not a key, or a tweak that gives none."""


def public_key(secret: bytes) -> bytes:
    """The compressed public key (33 bytes).

    Raises:
        KeyFault: the secret is not 32 bytes in 1..n-1.
    """
    try:
        return keys.pubkey_from_prvkey(_secret(secret))
    except ValueError as error:
        raise KeyFault(str(error)) from error


def _secret(secret: bytes) -> bytes:
    if len(secret) != 32:
        raise KeyFault(f"secret key of {len(secret)} bytes")
    return secret


def xonly_key(secret: bytes) -> bytes:
    """The x-only public key (32 bytes)."""
    return public_key(secret)[1:]


def is_public_key(key: bytes) -> bool:
    """Whether 33 or 65 bytes are a point."""
    return len(key) in (33, 65) and keys.pubkey_verify(key)


def is_xonly_key(key: bytes) -> bool:
    """Whether 32 bytes are the x of a point."""
    return len(key) == 32 and xonly.pubkey_verify(key)


def sign_schnorr(secret: bytes, message: bytes, aux: bytes | None = None) -> bytes:
    """A BIP340 signature of a 32-byte message, checked before it is returned.

    Args:
        secret: the secret key.
        message: 32 bytes.
        aux: auxiliary randomness; fresh when None, fixed when a signature must come out byte-identical again.

    Raises:
        KeyFault: a secret, message or aux of the wrong length, or not a key.
    """
    try:
        return ssa.sign(message, _secret(secret), aux)
    except ValueError as error:
        raise KeyFault(str(error)) from error


def verify_schnorr(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a BIP340 signature of any message holds for an x-only key."""
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        return ssa.verify(message, key, signature)
    except ValueError:
        return False


def sign_ecdsa(secret: bytes, digest: bytes) -> bytes:
    """A low-S DER signature with RFC 6979's nonce.

    Raises:
        KeyFault: not a secret key.
    """
    try:
        return dsa.sign(digest, _secret(secret))
    except ValueError as error:
        raise KeyFault(str(error)) from error


def verify_ecdsa(key: bytes, digest: bytes, compact: bytes) -> bool:
    """Whether r || s (64 bytes, either S) holds for a 33- or 65-byte key."""
    try:
        return dsa.verify(digest, key, compact, normalize=True, compact=True)
    except ValueError:
        return False


def tweak_xonly(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """The key plus tweak * G, lifted with even y: x and parity of the sum.

    Raises:
        KeyFault: not a key, tweak >= n, or the sum is infinity.
    """
    try:
        return xonly.tweak_add(key, tweak)
    except ValueError as error:
        raise KeyFault(str(error)) from error


def tweak_secret(secret: bytes, tweak: bytes) -> bytes:
    """The secret key of `tweak_xonly` of this secret's x-only key.

    Raises:
        KeyFault: not a secret key, or the sum is zero.
    """
    try:
        return xonly.prvkey_tweak_add(_secret(secret), tweak)
    except ValueError as error:
        raise KeyFault(str(error)) from error
