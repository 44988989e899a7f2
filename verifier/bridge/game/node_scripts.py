"""What the graph needs of a node's scripts: their hashes and sizes. The scripts are made, hashed and dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import Reader
from verifier.bitcoin.taproot import leaf_hash
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.scripts import guarded, reveal_leaf
from verifier.bridge.tree import Node, OpeningTree
from verifier.script.winternitz import WinternitzKey, checksum_digits

_HASH: Final = 32
_NUMBER: Final = 8


@dataclass(frozen=True, slots=True)
class Binding:
    """The leaf that binds the operator to a group of wires.

    Attributes:
        leaf_hash: of its script.
        script_bytes: how long that is.
        links: chains that it checks.
    """

    leaf_hash: bytes
    script_bytes: int
    links: int


@dataclass(frozen=True, slots=True)
class NodeScripts:
    """A node's scripts, without the scripts.

    Attributes:
        bindings: one a group of wires.
        leaves: hashes of the leaves that can disprove it, guards included.
        script_bytes: of all those leaves.
        largest_leaf: the longest of them.
    """

    bindings: tuple[Binding, ...]
    leaves: tuple[bytes, ...]
    script_bytes: int
    largest_leaf: int

    def serialize(self) -> bytes:
        """As it is stored."""
        bindings = (b.leaf_hash + _number(b.script_bytes) + _number(b.links) for b in self.bindings)
        counts = (len(self.bindings), len(self.leaves), self.script_bytes, self.largest_leaf)
        return b"".join((*map(_number, counts), *bindings, *self.leaves))

    @classmethod
    def read(cls, reader: Reader) -> NodeScripts:
        """The inverse of `serialize`.

        Raises:
            DecodeError: bytes are missing or malformed.
        """
        bindings, leaves, size, largest = (reader.uint(_NUMBER) for _ in range(4))
        bound = tuple(
            Binding(reader.take(_HASH), reader.uint(_NUMBER), reader.uint(_NUMBER)) for _ in range(bindings)
        )
        return cls(bound, tuple(reader.take(_HASH) for _ in range(leaves)), size, largest)


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER, "little")


def node_scripts(
    tree: OpeningTree, node: Node, keys: Mapping[str, WinternitzKey], committee: bytes
) -> NodeScripts:
    """Makes every script of a node, one at a time.

    Raises:
        BridgeError: SHAPE where a wire has no key of its length.
    """
    bindings = []
    for group in node.wires:
        found = [_key(keys, wire.name, wire.digits) for wire in group]
        code = reveal_leaf(committee, found)
        bindings.append(Binding(leaf_hash(code), len(code), sum(len(key.links) for key in found)))
    hashes, sizes = [], []
    for number in range(node.num_leaves):
        code = guarded(committee, tree.leaf(node.index, number, keys))
        hashes.append(leaf_hash(code))
        sizes.append(len(code))
    return NodeScripts(tuple(bindings), tuple(hashes), sum(sizes), max(sizes, default=0))


def _key(keys: Mapping[str, WinternitzKey], name: str, digits: int) -> WinternitzKey:
    key = keys.get(name)
    if key is None or key.digits != digits:
        raise BridgeError(BridgeReason.SHAPE, f"no key of {digits} digits for {name}")
    if len(key.links) != digits + checksum_digits(digits):
        raise BridgeError(BridgeReason.SHAPE, f"{name}: {len(key.links)} links")
    return key
