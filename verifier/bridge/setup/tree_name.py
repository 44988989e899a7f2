"""Which tree a slot is played over, in few words: from its name everybody makes the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prover.field import P
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.statement import known_state
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.claims import Claims, ToyClaims, VerifierClaims
from verifier.bridge.toy import ToyTree
from verifier.bridge.tree import OpeningTree
from verifier.pipeline import verifying_key

_TOY: Final = "toy"
_VERIFIER: Final = "verifier"


@dataclass(frozen=True, slots=True)
class TreeName:
    """Which tree a slot is played over, as it is published.

    Attributes:
        kind: "toy", the small tree of hashes; "verifier", the STARK verifier's own.
        queries: of the toy.
        preset: of the verifier: proof parameters.
        shape: of the verifier: table heights.
        ledger: of the verifier: the state root from which the batch must start, if set-up knows it.
    """

    kind: str
    queries: int = 0
    preset: str = ""
    shape: str = ""
    ledger: tuple[int, ...] = ()

    def make(self) -> OpeningTree:
        """The tree: everybody makes the same.

        Raises:
            BridgeError: STATE where there is no such tree.
        """
        if self.kind == _TOY:
            return ToyTree(self.queries)
        if self.kind != _VERIFIER:
            raise BridgeError(BridgeReason.STATE, f"a tree of kind {self.kind!r}")
        if any(type(element) is not int or not 0 <= element < P for element in self.ledger):
            raise BridgeError(BridgeReason.STATE, "a state root of elements that are not below p")
        return ChunkTree.of(verifying_key(self.preset, self.shape), known_state(self.ledger))

    def claims(self, tree: OpeningTree) -> Claims:
        """What can be claimed over the tree of this name.

        Raises:
            BridgeError: STATE where the tree is of another name.
        """
        if isinstance(tree, ToyTree):
            return ToyClaims(tree)
        if isinstance(tree, ChunkTree):
            key = verifying_key(self.preset, self.shape)
            return VerifierClaims(tree, key, (self.preset, self.shape), self.ledger)
        raise BridgeError(BridgeReason.STATE, f"nobody knows proofs for a tree of {len(tree.nodes)} nodes")

    @classmethod
    def toy(cls, queries: int) -> TreeName:
        """The small tree of hashes."""
        return cls(_TOY, queries)

    @classmethod
    def verifier(cls, preset: str, shape: str, ledger: Sequence[int] = ()) -> TreeName:
        """The tree of the rollup's verifier."""
        return cls(_VERIFIER, 0, preset, shape, tuple(ledger))
