"""p24: one width-24 permutation a row. Machine hashes, ledger cells; leaf, path and message of signatures.

Rows, on a ring (the row after the last is row 0, and every constraint holds there too: no row is special):

- hash: `is_hash`; in = tag, state8, a4, b4, c4, 0, 0, 0;
- cell, two rows: before (`is_cell`) and after (no flag): in = TAG_CELL, w0..w4, 0, 0, 0;
- signature, 37 + height neighbouring rows: 35 of the leaf sponge (`is_sponge`), a row a tree level
  (`is_path`, level 1 first), the owner row (`is_owner`), the message row (no flag: it is what follows an
  owner row);
- padding: no flag, the permutation of zeros.

Why the rows of a signature belong together. The flags exclude each other, and the order is forced both ways:
sponge -> sponge or path; path -> path or owner; owner -> message; and what precedes a path row is sponge or
path, what precedes an owner row is path. A path row after a sponge row needs that row's step to be 34; a
sponge row after a row that is no sponge row has step 0 and a fresh state; steps count up by one. Rings made
of sponge rows or path rows alone cannot close, since step (or t1) would grow by a non-zero multiple of a
height < p. So every owner row is preceded by the path rows 1..h of one tree, a complete sponge of exactly 35
chunks, and followed by its message row, and `sig_id` is constant from the first sponge row to the owner row.

Why nothing is mixed between signatures. `chain` sends each CHUNK (sig_id, step) at most once, with distinct
ids; so there is at most one sponge run an id, and, all being received, exactly one for each signature of
`chain`. Its owner row sends ENCODING with that id, which `chain` takes in the same block. Epoch: one value
(`step`) on the path rows, tied to the path's bits below it (path_epoch), to the message row's input above it
(message_epoch) and by ENCODING to the chain tweaks. Parameter: in each path row, in the owner digest, and by
ENCODING in the chain tweaks.

Heights. The height in the owner digest is the number of path rows (as an integer: rows < p). Bits are boolean
and the root's index is 0 (root_index), so epoch = sum of height bits: below 2^height when height <= 30.
Honest keys have 8..18; an owner digest that commits to another height is the choice of whoever made that key,
and its tweaks hurt that key alone.
"""

from __future__ import annotations

from typing import Any

from circuits.relations import CELL_WORD, CHUNK, ENCODING, HASH, SIG, TREE
from circuits.tables.poseidon2 import FULL_ROUNDS_HALF, PARTIAL_ROUNDS, constrain_permutation
from circuits.tags import KEY_TYPE_XMSS, TAG_CELL, TAG_MSG, TAG_OWNER
from circuits.xmss.hashing import LEAF_CAPACITY, TREE_LEVEL_HIGH, TREE_LEVEL_LOW
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns
from prover.field import inverse

WIDTH = 24
RATE = 15
LEAF_CHUNKS = 35
"""Blocks of the leaf sponge: ceil((5 + 2 + 64 * 8) / 15)."""
STATE_DEPTH = 30
"""Level of the ledger's cells."""

_INVERSE_LEVEL = inverse(TREE_LEVEL_HIGH)
_INVERSE_256 = inverse(256)


class P24Columns(Columns):
    """247 columns."""

    inputs = columns(WIDTH)
    """Input of the permutation (see the module). Any field elements."""
    initial = columns(FULL_ROUNDS_HALF * WIDTH)
    """State after initial full rounds 0..3 (constraints full0..full3)."""
    partial = columns(PARTIAL_ROUNDS[WIDTH])
    """S-box outputs of the partial rounds (partial0..partial22)."""
    final = columns((FULL_ROUNDS_HALF - 1) * WIDTH)
    """State after full rounds 4..6 (full4..full6)."""
    outputs = columns(WIDTH)
    """All raw outputs (out); digest_j = outputs_j + inputs_j is linear and not stored."""
    is_hash = column()
    """A hash row. Boolean; the five flags sum to at most 1 (kinds_exclusive)."""
    is_cell = column()
    """The before-row of a cell. Boolean."""
    is_sponge = column()
    """A leaf sponge row. Boolean."""
    is_path = column()
    """A tree path row. Boolean."""
    is_owner = column()
    """An owner row. Boolean."""
    sig_id = column()
    """Signature rows: the signature's id; bound by CHUNK. Before-row of a cell: its index; bound by TREE (<
    2^30)."""
    step = column()
    """Sponge: chunk number, 0..34 (chunk_first, chunk_next, leaf_complete). Path and owner rows: the
    epoch."""
    bit = column()
    """Path row: 1 if the node of the previous row is the right child. Boolean on path rows; free
    elsewhere."""


class P24(Air):
    """Degree 3; 12 fractions in 6 interaction columns; 247 + 36 base columns."""

    name = "p24"
    Main = P24Columns

    def eval(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """Permutation on every row, then each kind of row."""
        constrain_permutation(builder, local.inputs, local.initial, local.partial, local.final, local.outputs)
        for name in ("is_hash", "is_cell", "is_sponge", "is_path", "is_owner"):
            builder.assert_bool(getattr(local, name), f"{name}_bool")
        builder.assert_bool(_any_kind(local), "kinds_exclusive")
        self._hash(builder, local)
        self._cell(builder, local, following)
        self._order(builder, local, following)
        self._leaf(builder, local, following)
        self._path(builder, local, following)
        self._owner_and_message(builder, local, following)

    def _hash(self, builder: AirBuilder, local: P24Columns) -> None:
        """Answers one HASH."""
        builder.when(local.is_hash).assert_all_eq(local.inputs[21:], [0, 0, 0], "hash_padding")
        builder.receive(HASH, [*local.inputs[:21], *_digest(local)], local.is_hash, "hash")

    def _cell(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """A leaf of the state tree, before and after; hands its words to `cells`."""
        cell = builder.when(local.is_cell)
        cell.assert_zero(_any_kind(following), "cell_after_has_no_kind")
        for row, when in ((local, "before"), (following, "after")):
            cell.assert_eq(row.inputs[0], TAG_CELL, f"cell_tag_{when}")
            cell.assert_all_eq(row.inputs[21:], [0, 0, 0], f"cell_padding_{when}")
        index = local.sig_id
        builder.receive(
            TREE, [STATE_DEPTH, index, *_digest(local), *_digest(following)], local.is_cell, "cell"
        )
        for w in range(5):
            words = slice(1 + 4 * w, 5 + 4 * w)
            values = [index, w, *local.inputs[words], *following.inputs[words]]
            builder.send(CELL_WORD, values, local.is_cell, f"cell_word{w}")

    def _order(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """Which kind of row may follow which; one id for a signature."""
        builder.when(local.is_sponge).assert_eq(following.is_sponge + following.is_path, 1, "after_sponge")
        builder.when(local.is_path).assert_eq(following.is_path + following.is_owner, 1, "after_path")
        builder.when(following.is_path).assert_eq(local.is_sponge + local.is_path, 1, "before_path")
        builder.when(following.is_owner).assert_eq(local.is_path, 1, "before_owner")
        builder.when(local.is_owner).assert_zero(_any_kind(following), "message_has_no_kind")
        builder.when(local.is_sponge + local.is_path).assert_eq(
            following.sig_id, local.sig_id, "one_signature"
        )

    def _leaf(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """The sponge: a fresh state absorbs chunk 0 (after a row of another kind), each next row one more."""
        starts = following.is_sponge * (1 - local.is_sponge)
        first = builder.when(starts)
        first.assert_zero(following.step, "chunk_first")
        first.assert_all_eq(following.inputs[RATE:], LEAF_CAPACITY, "sponge_capacity")
        goes_on = local.is_sponge * following.is_sponge
        rest = builder.when(goes_on)
        rest.assert_eq(following.step, local.step + 1, "chunk_next")
        rest.assert_all_eq(following.inputs[RATE:], local.outputs[RATE:], "sponge_carry")
        builder.when(local.is_sponge * following.is_path).assert_eq(
            local.step, LEAF_CHUNKS - 1, "leaf_complete"
        )

        fresh = [following.sig_id, 0, *following.inputs[:RATE]]
        builder.receive(CHUNK, fresh, starts, "first_chunk")
        absorbed = [x - out for x, out in zip(following.inputs[:RATE], local.outputs[:RATE], strict=True)]
        builder.receive(CHUNK, [local.sig_id, local.step + 1, *absorbed], goes_on, "next_chunk")

    def _path(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """Row: in = parameter5, t0, t1, left8, right8, 0; the previous row's node is one of the children."""
        builder.when(local.is_path).assert_zero(local.inputs[23], "path_padding")
        builder.when(local.is_path).assert_bool(local.bit, "bit_bool")
        above = builder.when(following.is_path)
        above.assert_eq(following.inputs[6], local.is_path * local.inputs[6] + TREE_LEVEL_HIGH, "level_next")
        # The node below: raw sponge output of a leaf, digest of a path row.
        for j in range(8):
            node = local.outputs[j] + local.is_path * local.inputs[j]
            left, right = following.inputs[7 + j], following.inputs[15 + j]
            above.assert_eq(node, left + following.bit * (right - left), f"child[{j}]")
        child_index = 2 * _index(following) + following.bit
        builder.when(local.is_sponge * following.is_path).assert_eq(following.step, child_index, "path_epoch")
        between = builder.when(local.is_path * following.is_path)
        between.assert_eq(_index(local), child_index, "index_next")
        between.assert_all_eq(following.inputs[:5], local.inputs[:5], "path_parameter")
        builder.when(local.is_path).assert_eq(following.step, local.step, "epoch_carry")

    def _owner_and_message(self, builder: AirBuilder, local: P24Columns, following: P24Columns) -> None:
        """The owner row's input, and the message row after it (in = TAG_MSG, epoch, rho6, owner8, msg8)."""
        owner = builder.when(following.is_owner)
        owner.assert_zero(_index(local), "root_index")
        owner.assert_eq(following.inputs[0], TAG_OWNER, "owner_tag")
        owner.assert_all_eq(following.inputs[1:9], _digest(local), "owner_root")
        owner.assert_all_eq(following.inputs[9:14], local.inputs[:5], "owner_parameter")
        owner.assert_eq(following.inputs[14], KEY_TYPE_XMSS, "owner_key_type")
        owner.assert_eq(TREE_LEVEL_HIGH * following.inputs[15], local.inputs[6], "owner_height")
        owner.assert_all_eq(following.inputs[16:], [0] * 8, "owner_padding")

        message = builder.when(local.is_owner)
        message.assert_eq(following.inputs[0], TAG_MSG, "message_tag")
        message.assert_eq(following.inputs[1], local.step, "message_epoch")
        message.assert_all_eq(following.inputs[8:16], _digest(local), "message_owner")

        epoch = following.inputs[1]
        builder.receive(
            SIG, [*following.inputs[16:], *following.inputs[8:16], epoch], local.is_owner, "signature"
        )
        encoded = _digest(following)
        for half in range(2):
            values = [local.sig_id, half, epoch, *local.inputs[9:14], *encoded[4 * half : 4 * half + 4]]
            builder.send(ENCODING, values, local.is_owner, f"encoding{half}")


def _any_kind(row: P24Columns) -> Any:
    return row.is_hash + row.is_cell + row.is_sponge + row.is_path + row.is_owner


def _digest(row: P24Columns) -> list[Any]:
    """The 8 elements of the feed-forward compression."""
    return [out + x for out, x in zip(row.outputs[:8], row.inputs[:8], strict=True)]


def _index(row: P24Columns) -> Any:
    """A path row's node index, from its tweak: t1 = 516 level, t0 = level (2^26 - 516) + 256 index + 1."""
    t0, t1 = row.inputs[5], row.inputs[6]
    return (t0 - 1 - t1 * (_INVERSE_LEVEL * TREE_LEVEL_LOW)) * _INVERSE_256
