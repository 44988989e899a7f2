"""What the kernel relies on from the first ledger on, by induction."""

from __future__ import annotations

import pytest

from circuits.rollup.errors import BatchRefused, CodecError, CodecReason
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from tests.soundness.scene import (
    ALICE,
    BOB,
    PRODUCER,
    attack,
    batch,
    deposit,
    ledger,
    sign,
    transfer,
    with_purse,
)

LAST_NONCE = 2**32 - 1


def test_nonce_that_wraps_round_has_a_trace_but_no_genesis():
    """The kernel adds (1, 1) to nonce | next leaf, which is right while nonce <= next leaf <= 2^30."""
    of, tx = with_purse(ALICE, nonce=LAST_NONCE), sign(transfer(nonce=LAST_NONCE))
    with pytest.raises(BatchRefused):  # the specification
        execute_batch(of, batch([tx]), strict=True)
    assert attack([tx], of=of).broken() == (set(), set())  # the tables
    with pytest.raises(CodecError) as caught:
        Ledger.of_cells(of.cells)
    assert caught.value.reason is CodecReason.RANGE


def test_genesis_whose_next_free_cell_is_in_use_is_refused():
    """The first deposit into a new purse then has no trace, and the inbox cannot be passed."""
    cells = ledger(next_free=BOB).cells
    with pytest.raises(CodecError) as caught:
        Ledger.of_cells(cells)
    assert (caught.value.reason, caught.value.where) == (CodecReason.RANGE, f"cell {PRODUCER}")


def test_deposit_into_a_new_purse_then_has_no_trace():
    labels, relations = attack([], [deposit()], of=ledger(next_free=BOB)).broken()
    assert (labels, relations) == ({"cpu.equal[0]"}, set())
