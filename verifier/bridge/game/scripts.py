"""The scripts of the graph's outputs.

P is the committee's key, O the operator's. P's relative locks are the nSequence that its signature commits to
(every sighash without ANYONECANPAY does); O could sign any, so O's leaves carry OP_CHECKSEQUENCEVERIFY.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.bitcoin.taproot import NUMS_KEY, TaprootOutput, balanced_tree, taproot_output
from verifier.script.opcodes import Op
from verifier.script.script import number, push, script
from verifier.script.winternitz import WinternitzKey

BYTES_PER_DIGIT = 23
"""Largest witness of one link and its digit, lengths included."""


def delayed_key(key: bytes, delay: int = 1) -> bytes:
    """[sig] -> [1]: signed by a key, no earlier than `delay` blocks after the output."""
    return script(number(delay), Op.CHECKSEQUENCEVERIFY, Op.DROP, push(key), Op.CHECKSIG)


def guarded(committee: bytes, leaf: bytes) -> bytes:
    """[.. sig] -> whatever the leaf leaves: the leaf, for a transaction that the committee signed.

    Without it whoever knows a convicting witness, the operator first of all, could spend the disprove output
    alone, and the stake's signature, which names that output, would serve nobody any more. 34 bytes.
    """
    return push(committee) + bytes([Op.CHECKSIGVERIFY]) + leaf


def reveal_leaf(committee: bytes, keys: Sequence[WinternitzKey]) -> bytes:
    """[signature of the last wire .. of the first, committee's sig] -> [1]: binds the operator to a group.

    For a transaction whose nLockTime is `LINK_BYTES`: see `WinternitzKey.bind`.
    """
    return guarded(committee, b"".join(key.bind() for key in keys) + bytes([Op.OP_1]))


def committee_output(committee: bytes, leaf: bytes | None = None) -> TaprootOutput:
    """P signs the key path; the leaf of a hash beside it."""
    return taproot_output(committee, None if leaf is None else balanced_tree([leaf]))


def leaves_output(leaf_hashes: Iterable[bytes]) -> TaprootOutput:
    """Leaves only: nobody can sign the key path."""
    return taproot_output(NUMS_KEY, balanced_tree(list(leaf_hashes)))
