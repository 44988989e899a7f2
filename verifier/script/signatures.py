"""Signature checks of the three script versions, and lock times: all that looks at the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from verifier.bitcoin.keys import ORDER, verify_ecdsa, verify_schnorr
from verifier.bitcoin.sighash import (
    SighashError,
    Spending,
    TapLeafContext,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from verifier.bitcoin.transaction import FINAL_SEQUENCE
from verifier.script.errors import Flag, ScriptError, ScriptFailure
from verifier.script.script import find_and_delete, push_raw, without_separators

WEIGHT_PER_CHECK: Final = 50
"""What a passed signature check costs of a tapscript's budget."""
WEIGHT_OFFSET: Final = 50
_LOCKTIME_THRESHOLD: Final = 500_000_000
_SEQUENCE_DISABLE: Final = 1 << 31
_SEQUENCE_TYPE: Final = 1 << 22
_SEQUENCE_MASK: Final = _SEQUENCE_TYPE | 0xFFFF


class SigVersion(Enum):
    """Which rules of signing a script runs under."""

    BASE = 0
    WITNESS_V0 = 1
    TAPSCRIPT = 2


@dataclass(slots=True)
class Checker:
    """The input that a script belongs to.

    Attributes:
        spending: transaction and spent outputs; None for a script run on its own, where every check fails.
        index: the input.
        flags: rules in force.
        leaf_hash: for a tapscript.
        annex: for a taproot spend.
        budget: what is left of a tapscript's signature budget.
    """

    spending: Spending | None
    index: int
    flags: Flag
    leaf_hash: bytes = b""
    annex: bytes | None = None
    budget: int = 0

    def locktime_reached(self, wanted: int) -> bool:
        """OP_CHECKLOCKTIMEVERIFY's condition (BIP65)."""
        if self.spending is None:
            return False
        tx = self.spending.tx
        alike = (tx.locktime < _LOCKTIME_THRESHOLD) == (wanted < _LOCKTIME_THRESHOLD)
        return alike and wanted <= tx.locktime and tx.inputs[self.index].sequence != FINAL_SEQUENCE

    def sequence_reached(self, wanted: int) -> bool:
        """OP_CHECKSEQUENCEVERIFY's condition (BIP112)."""
        if self.spending is None:
            return False
        tx = self.spending.tx
        sequence = tx.inputs[self.index].sequence
        if tx.version < 2 or sequence & _SEQUENCE_DISABLE:
            return False
        have, need = sequence & _SEQUENCE_MASK, wanted & _SEQUENCE_MASK
        return (have < _SEQUENCE_TYPE) == (need < _SEQUENCE_TYPE) and need <= have

    def schnorr(self, key: bytes, signature: bytes, leaf: TapLeafContext | None) -> None:
        """A taproot signature must hold.

        Raises:
            ScriptFailure: why it does not.
        """
        if len(signature) not in (64, 65):
            raise ScriptFailure(ScriptError.SCHNORR_SIG_SIZE)
        hash_type = signature[64] if len(signature) == 65 else 0
        if len(signature) == 65 and not hash_type:
            raise ScriptFailure(ScriptError.SCHNORR_SIG_HASHTYPE)
        if self.spending is None:
            raise ScriptFailure(ScriptError.SCHNORR_SIG)
        try:
            message = taproot_sighash(self.spending, self.index, hash_type, leaf, self.annex)
        except SighashError as error:
            raise ScriptFailure(ScriptError.SCHNORR_SIG_HASHTYPE) from error
        if not verify_schnorr(key, message, signature[:64]):
            raise ScriptFailure(ScriptError.SCHNORR_SIG)

    def tapscript(self, signature: bytes, key: bytes, separator: int) -> bool:
        """A signature check of a tapscript (BIP342); an empty signature is the only one that may fail."""
        if signature:
            self.budget -= WEIGHT_PER_CHECK
            if self.budget < 0:
                raise ScriptFailure(ScriptError.TAPSCRIPT_VALIDATION_WEIGHT)
        if not key:
            raise ScriptFailure(ScriptError.TAPSCRIPT_EMPTY_PUBKEY)
        if len(key) == 32:
            if signature:
                self.schnorr(key, signature, TapLeafContext(self.leaf_hash, separator))
        elif self.flags & Flag.DISCOURAGE_UPGRADABLE_PUBKEYTYPE:
            raise ScriptFailure(ScriptError.DISCOURAGE_UPGRADABLE_PUBKEYTYPE)
        return bool(signature)

    def script_code(self, code: bytes, signatures: list[bytes], version: SigVersion) -> bytes:
        """What an ECDSA signature signs of its script: before segwit, the signatures are cut out."""
        if version is SigVersion.WITNESS_V0:
            return code
        for signature in signatures:
            code, found = find_and_delete(code, push_raw(signature))
            if found and self.flags & Flag.CONST_SCRIPTCODE:
                raise ScriptFailure(ScriptError.SIG_FINDANDDELETE)
        return code

    def ecdsa(self, signature: bytes, key: bytes, code: bytes, version: SigVersion) -> bool:
        """Whether an ECDSA signature holds; its encoding is checked first.

        Raises:
            ScriptFailure: the encoding breaks a rule in force.
        """
        _check_signature_encoding(signature, self.flags)
        _check_key_encoding(key, self.flags, version)
        if not signature or self.spending is None or not _is_key_length(key):
            return False
        hash_type, compact = signature[-1], lax_der(signature[:-1])
        if compact is None:
            return False
        if version is SigVersion.BASE:
            digest = legacy_sighash(self.spending.tx, self.index, without_separators(code), hash_type)
        else:
            value = self.spending.spent[self.index].value
            digest = witness_v0_sighash(self.spending, self.index, code, hash_type, value)
        return verify_ecdsa(key, digest, compact)


def _is_key_length(key: bytes) -> bool:
    return bool(key) and len(key) == {2: 33, 3: 33, 4: 65, 6: 65, 7: 65}.get(key[0])


def lax_der(signature: bytes) -> bytes | None:
    """The r || s of a DER signature, read as laxly as Core does; None if it cannot be read.

    Before BIP66 anything went; a value beyond the order becomes zero.
    Source: `ecdsa_signature_parse_der_lax` of Core's pubkey.cpp.
    """
    at = _skip_sequence(signature)
    if at is None:
        return None
    values = []
    for _ in range(2):
        read = _lax_integer(signature, at)
        if read is None:
            return None
        value, at = read
        values.append(value)
    if any(len(value) > 32 or int.from_bytes(value, "big") >= ORDER for value in values):
        return bytes(64)
    return b"".join(value.rjust(32, b"\0") for value in values)


def _skip_sequence(signature: bytes) -> int | None:
    if len(signature) < 2 or signature[0] != 0x30:
        return None
    at = 2
    if signature[1] & 0x80:
        at += signature[1] - 0x80
    return at if at <= len(signature) else None


def _lax_integer(signature: bytes, at: int) -> tuple[bytes, int] | None:
    """An integer without leading zeros, and the position behind it."""
    if at + 2 > len(signature) or signature[at] != 2:
        return None
    length = signature[at + 1]
    at += 2
    if length & 0x80:
        width = length - 0x80
        if at + width > len(signature):
            return None
        digits = signature[at : at + width].lstrip(b"\0")
        if len(digits) >= 4:
            return None
        length, at = int.from_bytes(digits, "big"), at + width
    if at + length > len(signature):
        return None
    return signature[at : at + length].lstrip(b"\0"), at + length


def is_strict_der(signature: bytes) -> bool:
    """BIP66, with the sighash byte."""
    if not 9 <= len(signature) <= 73 or signature[0] != 0x30 or signature[1] != len(signature) - 3:
        return False
    r_length = signature[3]
    if 5 + r_length >= len(signature):
        return False
    s_length = signature[5 + r_length]
    if r_length + s_length + 7 != len(signature):
        return False
    return all(
        signature[start] == 2
        and length > 0
        and not signature[start + 2] & 0x80
        and not (length > 1 and signature[start + 2] == 0 and not signature[start + 3] & 0x80)
        for start, length in ((2, r_length), (4 + r_length, s_length))
    )


def _check_signature_encoding(signature: bytes, flags: Flag) -> None:
    if not signature:
        return
    if flags & (Flag.DERSIG | Flag.LOW_S | Flag.STRICTENC) and not is_strict_der(signature):
        raise ScriptFailure(ScriptError.SIG_DER)
    if flags & Flag.LOW_S:
        compact = lax_der(signature[:-1])
        if compact is None or int.from_bytes(compact[32:], "big") > ORDER // 2:
            raise ScriptFailure(ScriptError.SIG_HIGH_S)
    if flags & Flag.STRICTENC and not 1 <= signature[-1] & ~0x80 <= 3:
        raise ScriptFailure(ScriptError.SIG_HASHTYPE)


def _check_key_encoding(key: bytes, flags: Flag, version: SigVersion) -> None:
    compressed = len(key) == 33 and key[0] in (2, 3)
    if flags & Flag.STRICTENC and not compressed and not (len(key) == 65 and key[0] == 4):
        raise ScriptFailure(ScriptError.PUBKEYTYPE)
    if flags & Flag.WITNESS_PUBKEYTYPE and version is SigVersion.WITNESS_V0 and not compressed:
        raise ScriptFailure(ScriptError.WITNESS_PUBKEYTYPE)
