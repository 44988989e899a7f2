"""Trace of p24: hashes, cells, then each signature's rows, then permutations of zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import native
from circuits.tables.p24 import LEAF_CHUNKS, P24, RATE, WIDTH, P24Columns
from circuits.tags import KEY_TYPE_XMSS, TAG_CELL, TAG_OWNER
from circuits.trace.capacity import check_capacity
from circuits.trace.signatures import I64, U32, SignatureBatch, message_inputs
from circuits.xmss.hashing import LEAF_CAPACITY, NUM_CHAINS, TREE_LEVEL_HIGH, TREE_LEVEL_LOW
from prover.field import P

OTHER_ROWS = LEAF_CHUNKS + 2
"""Rows of a signature beside its path: sponge, owner, message."""


@dataclass(frozen=True, slots=True)
class CellUpdates:
    """Touched cells.

    Attributes:
        index: (k,).
        before: The five words; (k, 5, 4).
        after: (k, 5, 4).
    """

    index: U32
    before: U32
    after: U32


def rows_needed(hashes: U32, cells: CellUpdates, signatures: SignatureBatch) -> int:
    """Rows without padding: one a hash, two a cell, 37 + height a signature."""
    return int(hashes.shape[1]) + 2 * len(cells.index) + int((signatures.height + OTHER_ROWS).sum())


def generate(hashes: U32, cells: CellUpdates, signatures: SignatureBatch, height: int) -> U32:
    """The table; (247, height). Signature i of the batch gets id i.

    Args:
        hashes: Inputs of the machine's hashes: tag, state8, a4, b4, c4; (21, k).
        cells: Touched cells.
        signatures: The batch.
        height: Rows.

    Raises:
        CapacityError: More rows than `height`.
    """
    check_capacity(P24.name, rows_needed(hashes, cells, signatures), height)
    at = P24Columns
    table = np.zeros((at.width, height), dtype=np.uint32)
    inputs = np.zeros((WIDTH, height), dtype=np.uint32)
    num_hashes, num_cells = hashes.shape[1], len(cells.index)
    inputs[:21, :num_hashes] = hashes
    table[at.is_hash.start, :num_hashes] = 1

    before = num_hashes + 2 * np.arange(num_cells)
    inputs[0, num_hashes : num_hashes + 2 * num_cells] = TAG_CELL
    inputs[1:21, before] = cells.before.reshape(num_cells, 20).T
    inputs[1:21, before + 1] = cells.after.reshape(num_cells, 20).T
    table[at.is_cell.start, before] = 1
    table[at.sig_id.start, before] = cells.index

    lengths = signatures.height + OTHER_ROWS
    starts = num_hashes + 2 * num_cells + np.cumsum(lengths) - lengths
    _fill_signatures(table, inputs, signatures, starts)
    native.poseidon2_trace(inputs, table[: at.is_hash.start])
    return table


def _fill_signatures(table: U32, inputs: U32, signatures: SignatureBatch, starts: I64) -> None:
    """Flags and inputs of all signatures, one chunk or level of all of them at a time."""
    at = P24Columns
    ids, epoch = np.arange(signatures.count), signatures.epoch
    state = _sponge(table, inputs, signatures, starts)
    node = state[:8].copy()
    for level in range(1, int(signatures.height.max(initial=0)) + 1):
        lanes = np.flatnonzero(signatures.height >= level)
        rows = starts[lanes] + LEAF_CHUNKS + level - 1
        bit = epoch[lanes] >> (level - 1) & 1
        sibling, below = signatures.path[level - 1][:, lanes], node[:, lanes]
        block = np.zeros((WIDTH, len(lanes)), dtype=np.uint32)
        block[:5] = signatures.parameter[:, lanes]
        block[5] = (level * TREE_LEVEL_LOW + 256 * (epoch[lanes] >> level) + 1) % P
        block[6] = TREE_LEVEL_HIGH * level
        block[7:15] = np.where(bit, sibling, below)
        block[15:23] = np.where(bit, below, sibling)
        inputs[:, rows] = block
        node[:, lanes] = native.poseidon2_compress(block, 8)
        table[at.is_path.start, rows] = 1
        table[at.bit.start, rows] = bit
        table[at.sig_id.start, rows] = lanes
        table[at.step.start, rows] = epoch[lanes]

    owner_rows = starts + LEAF_CHUNKS + signatures.height
    inputs[0, owner_rows] = TAG_OWNER
    inputs[1:9, owner_rows] = node
    inputs[9:14, owner_rows] = signatures.parameter
    inputs[14, owner_rows] = KEY_TYPE_XMSS
    inputs[15, owner_rows] = signatures.height
    table[at.is_owner.start, owner_rows] = 1
    table[at.sig_id.start, owner_rows] = ids
    table[at.step.start, owner_rows] = epoch
    inputs[:, owner_rows + 1] = message_inputs(epoch, signatures.rho, signatures.owner, signatures.message)


def _sponge(table: U32, inputs: U32, signatures: SignatureBatch, starts: I64) -> U32:
    """The leaf sponges; returns their last states, (24, n)."""
    at, n = P24Columns, signatures.count
    stream = np.zeros((LEAF_CHUNKS * RATE, n), dtype=np.uint32)
    stream[:5] = signatures.parameter
    stream[5] = 256 * signatures.epoch + 1
    ends = signatures.steps.ends.reshape(8, n, NUM_CHAINS).transpose(2, 0, 1)
    stream[7 : 7 + 8 * NUM_CHAINS] = ends.reshape(8 * NUM_CHAINS, n)
    state = np.zeros((WIDTH, n), dtype=np.uint32)
    state[RATE:] = np.array(LEAF_CAPACITY, dtype=np.uint32)[:, None]
    for step in range(LEAF_CHUNKS):
        total = state[:RATE] + stream[RATE * step : RATE * (step + 1)]  # < 2p < 2^32
        state[:RATE] = np.where(total >= P, total - np.uint32(P), total)
        rows = starts + step
        inputs[:, rows] = state
        table[at.is_sponge.start, rows] = 1
        table[at.sig_id.start, rows] = np.arange(n)
        table[at.step.start, rows] = step
        state = native.poseidon2_permute(state)
    return state
