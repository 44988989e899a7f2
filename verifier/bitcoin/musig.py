"""MuSig2 (BIP327): an N-of-N committee behind one x-only key, in two rounds.

libsecp256k1's own module through `btclib-secp256k1`. A secret nonce lives in memory only and signs once: a
process that stops between the rounds begins the session anew with fresh nonces, so that none is used twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from btclib_secp256k1 import keys, musig

from verifier.bitcoin.address import base58check
from verifier.bitcoin.keys import public_key, verify_schnorr

_XPUB_MAIN: Final = bytes.fromhex("0488b21e")
_CHAIN_CODE: Final = bytes.fromhex("868087ca02a6f974c4598924c36b57762d32cb45717167e300622c7167e38965")
"""SHA256 of "MuSig2MuSig2MuSig2" (BIP328)."""


class Contribution(StrEnum):
    """What a signer sends."""

    PUBLIC_KEY = "pubkey"
    PUBLIC_NONCE = "pubnonce"
    AGGREGATE_NONCE = "aggnonce"
    PARTIAL_SIGNATURE = "psig"


class MusigError(ValueError):
    """The session cannot go on."""


class InvalidContribution(MusigError):
    """A peer sent something that is not what it should be.

    Attributes:
        signer: its position, None for the aggregator.
        what: which message.
    """

    def __init__(self, signer: int | None, what: Contribution) -> None:
        super().__init__(f"signer {signer}: invalid {what}" if signer is not None else f"invalid {what}")
        self.signer = signer
        self.what = what


@dataclass(frozen=True, slots=True)
class Tweak:
    """A tweak of the aggregate key: of its x-only form (taproot) or of the point (BIP32)."""

    value: bytes
    xonly: bool = True


def sort_keys(public_keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """The keys in BIP327's order, so that the aggregate does not depend on who came first."""
    return tuple(sorted(public_keys))


class Aggregate:
    """The key of all signers, tweaked.

    Args:
        public_keys: compressed keys, in the order agreed upon.
        tweaks: applied in order.

    Raises:
        InvalidContribution: a key that is not a compressed point.
        MusigError: no key, or a tweak that is out of range or leads to infinity.
    """

    def __init__(self, public_keys: Sequence[bytes], tweaks: Sequence[Tweak] = ()) -> None:
        for signer, key in enumerate(public_keys):
            if len(key) != 33 or not keys.pubkey_verify(key):
                raise InvalidContribution(signer, Contribution.PUBLIC_KEY)
        self.public_keys = tuple(public_keys)
        try:
            self._cache = musig.KeyAggCache(self.public_keys)
            for tweak in tweaks:
                add = self._cache.pubkey_xonly_tweak_add if tweak.xonly else self._cache.pubkey_ec_tweak_add
                add(tweak.value)
        except ValueError as error:
            raise MusigError(str(error)) from error
        self.point: bytes = self._cache.pubkey_get()
        """The compressed aggregate key."""

    @property
    def key(self) -> bytes:
        """The x-only aggregate key: what a signature is verified with."""
        return self.point[1:]

    def nonce(self, secret: bytes, message: bytes | None = None, own: bytes | None = None) -> SecretNonce:
        """Round one: a fresh nonce of one signer.

        Args:
            secret: of the signer.
            message: what will be signed, if it is known.
            own: its public key, where the caller has computed it before.

        Raises:
            MusigError: the secret's key is not among the signers', or not a key.
        """
        own = own or public_key(secret)
        if own not in self.public_keys:
            raise MusigError("the signer's public key is not among the keys")
        try:
            return SecretNonce(musig.nonce_gen(own, secret, message, self._cache))
        except ValueError as error:
            raise MusigError(str(error)) from error

    def session(self, aggregate_nonce: bytes, message: bytes) -> Session:
        """Round two: what every signer signs.

        Raises:
            InvalidContribution: the aggregate nonce is malformed.
            MusigError: the message is not 32 bytes.
        """
        return Session(self, self._cache, aggregate_nonce, message)


class SecretNonce:
    """One signer's nonce; `public` is sent, the rest signs once and is wiped."""

    def __init__(self, nonce: musig.SecretNonce) -> None:
        self._nonce = nonce
        self.public: bytes = nonce.pubnonce


def aggregate_nonces(public_nonces: Sequence[bytes]) -> bytes:
    """The sum of the signers' public nonces; anybody may compute it.

    Raises:
        InvalidContribution: a malformed nonce.
        MusigError: no nonce.
    """
    try:
        return musig.nonce_agg(public_nonces)
    except ValueError as error:
        for signer, nonce in enumerate(public_nonces):
            _parse_nonce(nonce, signer)
        raise MusigError(str(error)) from error


def _parse_nonce(nonce: bytes, signer: int) -> None:
    try:
        musig.pubnonce_parse(nonce)
    except ValueError as error:
        raise InvalidContribution(signer, Contribution.PUBLIC_NONCE) from error


def _parse_partial(partial: bytes, signer: int) -> None:
    try:
        musig.partial_sig_parse(partial)
    except ValueError as error:
        raise InvalidContribution(signer, Contribution.PARTIAL_SIGNATURE) from error


def _parse_aggregate(nonce: bytes) -> None:
    try:
        musig.aggnonce_parse(nonce)
    except ValueError as error:
        raise InvalidContribution(None, Contribution.AGGREGATE_NONCE) from error


class Session:
    """One message under one aggregate nonce; see `Aggregate.session`."""

    def __init__(
        self, aggregate: Aggregate, cache: musig.KeyAggCache, aggregate_nonce: bytes, message: bytes
    ) -> None:
        self.aggregate = aggregate
        self.message = message
        self._cache = cache
        try:
            self._session = musig.Session(aggregate_nonce, message, cache)
        except ValueError as error:
            _parse_aggregate(aggregate_nonce)
            raise MusigError(str(error)) from error

    def sign(self, nonce: SecretNonce, secret: bytes) -> bytes:
        """One signer's partial signature, checked; the nonce is spent whatever happens.

        Raises:
            MusigError: the nonce is spent, or belongs to another key.
        """
        try:
            return nonce._nonce.partial_sign(secret, self._cache, self._session)
        except ValueError as error:
            raise MusigError(str(error)) from error

    def check(self, signer: int, public_nonce: bytes, partial: bytes) -> bool:
        """Whether a partial signature is that signer's.

        Raises:
            InvalidContribution: the nonce is malformed.
        """
        _parse_nonce(public_nonce, signer)
        try:
            musig.partial_sig_parse(partial)
        except ValueError:
            return False
        key = self.aggregate.public_keys[signer]
        return self._session.partial_sig_verify(partial, public_nonce, key, self._cache)

    def combine(self, partials: Sequence[bytes]) -> bytes:
        """The BIP340 signature, verified.

        Raises:
            InvalidContribution: a malformed partial signature.
            MusigError: one of them is wrong (`check` tells which), or their number is.
        """
        if len(partials) != len(self.aggregate.public_keys):
            raise MusigError(f"{len(partials)} signatures of {len(self.aggregate.public_keys)} signers")
        try:
            signature = self._session.partial_sig_agg(partials)
        except ValueError as error:
            for signer, partial in enumerate(partials):
                _parse_partial(partial, signer)
            raise MusigError(str(error)) from error
        if not verify_schnorr(self.aggregate.key, self.message, signature):
            raise MusigError("a partial signature is wrong")
        return signature


def aggregate_xpub(public_keys: Sequence[bytes]) -> str:
    """The synthetic mainnet xpub of BIP328, for wallets that watch the aggregate key."""
    point = Aggregate(public_keys).point
    return base58check(_XPUB_MAIN + bytes(9) + _CHAIN_CODE + point)
