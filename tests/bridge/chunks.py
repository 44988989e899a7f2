"""A small verifier's tree, an honest execution and its signatures, shared by the tests of the chunks."""

from __future__ import annotations

from functools import cache
from random import Random

from prover.params import ProofParams
from prover.proof import Proof
from prover.prove import prove
from tests.proofs import decoded, small_key
from tests.script.spends import tapscript_spend
from tests.small_system import make_tables
from verifier.bitcoin.sighash import Spending
from verifier.bridge.chunks.accuse import ChunkAccuser
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.tree import Digits, Spend
from verifier.script.winternitz import WinternitzKey, public_key, sign

PARAMS = ProofParams(2, 4, 14, 12, 2)
SEED = bytes(range(32))


@cache
def tree() -> ChunkTree:
    return ChunkTree.of(small_key(PARAMS).verifying_key)


@cache
def replay() -> Replay:
    proof = decoded(PARAMS)
    return Replay(tree(), proof.words, proof.public_values)


@cache
def other() -> Replay:
    """A true proof of another statement."""
    key = small_key(PARAMS)
    tables, public = make_tables(shift=1)
    proof = Proof.decode(prove(key, tables, public).encode(), key.verifying_key.layout)
    return Replay(tree(), proof.words, proof.public_values)


@cache
def honest() -> dict[str, Digits]:
    """Every wire's value."""
    out = {}
    for node in tree().nodes:
        for wires, values in zip(node.wires, replay().values(node.index), strict=True):
            out.update({wire.name: value for wire, value in zip(wires, values, strict=True)})
    return out


class Keys(dict[str, WinternitzKey]):
    """Public keys, made when asked for."""

    def __missing__(self, name: str) -> WinternitzKey:
        self[name] = public_key(SEED, name.encode(), len(honest()[name]))
        return self[name]


class Signed(dict[str, tuple[bytes, ...]]):
    """Signatures of the honest values but for the changes, made when asked for."""

    def __init__(self, changes: dict[str, Digits] | None = None) -> None:
        super().__init__()
        self.changes = changes or {}

    def __missing__(self, name: str) -> tuple[bytes, ...]:
        if name in self.changes:
            self[name] = sign(SEED, name.encode(), self.changes[name])
        else:
            self[name] = _signed_honestly(name)
        return self[name]


@cache
def _signed_honestly(name: str) -> tuple[bytes, ...]:
    return sign(SEED, name.encode(), honest()[name])


KEYS = Keys()


@cache
def accuser() -> ChunkAccuser:
    return ChunkAccuser(tree(), KEYS)


def spending(node: int, spend: Spend) -> Spending:
    return tapscript_spend(tree().leaf(node, spend.leaf, KEYS), spend.items)


def node_named(end: str) -> int:
    return next(node.index for node in tree().nodes if node.name.endswith(end))


def corrupted(name: str, rng: Random) -> Digits:
    """The honest value with one digit changed."""
    digits = list(honest()[name])
    digits[rng.randrange(len(digits))] ^= rng.randrange(1, 16)
    return tuple(digits)


def readers(name: str) -> list[tuple[int, int]]:
    """Leaves that check a wire."""
    return [
        (node, number)
        for node, leaves in enumerate(tree().leaves)
        for number, leaf in enumerate(leaves)
        if name in tree().wire_names(leaf)
    ]
