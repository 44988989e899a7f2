"""p16: one width-16 permutation a row. XMSS chain steps, and nodes of the ledger's and the exit tree.

Rows, all on a ring (the row after the last is row 0; every constraint holds there too, so no row is special
and a run may lie across the table's end):

- chain step: one of `cont` (the following row is the next step) and `last` (the chain ends here) is 1;
- tree node, two rows: before (`is_tree` = 1, in = children before the batch) and after (no kind flag, in =
  children after it);
- padding: no flag, the permutation of zeros.

Why a CHAIN_END tuple is true. `cont` forces the following row to be a chain step (chain_goes_on) with the
same parameter, t1 and key, with t0 + 256 and with this row's digest as its value; a row that does not follow
a `cont` row is a first step and has key = t0 (chain_starts). So a `last` row ends a run of steps whose first
t0 is its key: end8 is the image of some value under all steps t0 = key, key + 256, .., t0. Runs end: on a
ring of `cont` rows alone t0 would grow by 256 * height, which is not 0 mod p, and such a ring sends nothing
anyway. The number of steps is exactly (t0 - key)/256 + 1 as an integer, being at most the table's height < p.

Why TREE is sound. The verifier sends the roots' tuples (level 0 and level 64). All multiplicities are 0 or 1
and their number is below p, so each node row's tuple was sent by one place: the verifier, or the row of the
node above, whose level is one less. Levels cannot go round (that takes p rows), so every node row descends
from a root: its level is below 128, its index is < 2^(level - root's level) as an integer (indexes double
from 0), its key and level need no range check, and no node is opened twice. A child that is not sent is equal
before and after (left_untouched, right_untouched); a sent one is consumed by a node row, or by a leaf (level
30: p24's cells; level 74: the machine's exit leaves). Going on below level 30 would need a compress16
preimage of a cell's digest.
"""

from __future__ import annotations

from circuits.relations import CHAIN_END, TREE
from circuits.tables.poseidon2 import FULL_ROUNDS_HALF, PARTIAL_ROUNDS, constrain_permutation
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns

WIDTH = 16
STEP = 256
"""What t0 grows by from one chain step to the next."""


class P16Columns(Columns):
    """161 columns.

    A chain row's input is parameter5, t0, t1, value8, 0; a tree row's is left8, right8.
    """

    inputs = columns(WIDTH)
    """Input of the permutation. Any field elements; what they mean is bound by the relations."""
    initial = columns(FULL_ROUNDS_HALF * WIDTH)
    """State after initial full rounds 0..3 (constraints full0..full3)."""
    partial = columns(PARTIAL_ROUNDS[WIDTH])
    """S-box outputs of the partial rounds (partial0..partial19)."""
    final = columns((FULL_ROUNDS_HALF - 1) * WIDTH)
    """State after full rounds 4..6 (full4..full6)."""
    outputs = columns(8)
    """First 8 raw outputs (out); digest_j = outputs_j + inputs_j (feed-forward) is linear and not stored."""
    cont = column()
    """A chain step that is not its chain's last. Boolean."""
    last = column()
    """A chain's last step. Boolean; cont + last + is_tree <= 1 (kinds are exclusive)."""
    is_tree = column()
    """The before-row of a tree node. Boolean."""
    touched = column()
    """Before-row: the left child is sent on (TREE); its after-row: the right child. Boolean; 0 elsewhere."""
    key = column()
    """Chain row: t0 of the chain's first step. Before-row: the node's index. After-row: the node's level.

    Bound by chain_starts and chain_key, or by the TREE tuple (see the module); 0 need not hold on padding.
    """


class P16(Air):
    """Degree 3; 4 fractions in 2 interaction columns; 161 + 12 base columns."""

    name = "p16"
    Main = P16Columns

    def eval(self, builder: AirBuilder, local: P16Columns, following: P16Columns) -> None:
        """Permutation on every row, then chains, then tree nodes."""
        constrain_permutation(builder, local.inputs, local.initial, local.partial, local.final, local.outputs)
        for name in ("cont", "last", "is_tree", "touched"):
            builder.assert_bool(getattr(local, name), f"{name}_bool")
        builder.assert_bool(local.cont + local.last + local.is_tree, "kinds_exclusive")
        self._chain(builder, local, following)
        self._tree(builder, local, following)

    def _chain(self, builder: AirBuilder, local: P16Columns, following: P16Columns) -> None:
        """Steps of one chain follow each other; the last one sends CHAIN_END."""
        digest = [out + x for out, x in zip(local.outputs, local.inputs, strict=False)]
        parameter, t0, t1 = local.inputs[:5], local.inputs[5], local.inputs[6]
        follows = following.cont + following.last

        builder.when(local.cont + local.last).assert_zero(local.inputs[15], "chain_input_end")
        steps = builder.when(local.cont)
        steps.assert_eq(follows, 1, "chain_goes_on")
        steps.assert_all_eq(following.inputs[:5], parameter, "chain_parameter")
        steps.assert_eq(following.inputs[5], t0 + STEP, "chain_t0")
        steps.assert_eq(following.inputs[6], t1, "chain_t1")
        steps.assert_all_eq(following.inputs[7:15], digest, "chain_value")
        steps.assert_eq(following.key, local.key, "chain_key")
        builder.when((1 - local.cont) * follows).assert_eq(following.key, following.inputs[5], "chain_starts")
        builder.send(CHAIN_END, [local.key, t0, t1, *parameter, *digest], local.last, "chain_end")

    def _tree(self, builder: AirBuilder, local: P16Columns, following: P16Columns) -> None:
        """A node's two rows: it consumes its own tuple and sends its touched children's."""
        before = [out + x for out, x in zip(local.outputs, local.inputs, strict=False)]
        after = [out + x for out, x in zip(following.outputs, following.inputs, strict=False)]
        index, level = local.key, following.key
        left, right = local.touched, following.touched

        node = builder.when(local.is_tree)
        node.assert_zero(following.cont + following.last + following.is_tree, "after_row_has_no_kind")
        builder.when(1 - local.is_tree).assert_zero(
            following.touched * (1 - following.is_tree), "touched_only_in_nodes"
        )
        node.when(1 - left).assert_all_eq(local.inputs[:8], following.inputs[:8], "left_untouched")
        node.when(1 - right).assert_all_eq(local.inputs[8:], following.inputs[8:], "right_untouched")

        builder.receive(TREE, [level, index, *before, *after], local.is_tree, "node")
        builder.send(
            TREE,
            [level + 1, index + index, *local.inputs[:8], *following.inputs[:8]],
            local.is_tree * left,
            "left_child",
        )
        builder.send(
            TREE,
            [level + 1, index + index + 1, *local.inputs[8:], *following.inputs[8:]],
            local.is_tree * right,
            "right_child",
        )
