"""Trace of chain: a block of 64 rows for each signature, then blocks that are not active."""

from __future__ import annotations

import numpy as np

from circuits.tables.chain import BLOCK, REMAINDER_WEIGHTS, Chain, ChainColumns
from circuits.trace.capacity import check_capacity
from circuits.trace.signatures import I64, U32, SignatureBatch
from circuits.xmss.encoding import DIGITS_PER_ELEMENT, QUOTIENT
from circuits.xmss.hashing import CHAIN_TOP, EPOCHS_PER_HIGH
from prover.field import P, inverse


def rows_needed(signatures: SignatureBatch) -> int:
    """64 rows a signature."""
    return BLOCK * signatures.count


def generate(signatures: SignatureBatch, height: int) -> U32:
    """The table; (36, height), height a multiple of 64.

    Raises:
        CapacityError: More rows than `height`.
    """
    rows = rows_needed(signatures)
    check_capacity(Chain.name, rows, height)
    at, n = ChainColumns, signatures.count
    table = np.zeros((at.width, height), dtype=np.uint32)
    end = table[at.end.start : at.end.start + 8]
    end[:, :rows] = signatures.steps.ends
    table[at.previous.start : at.previous.start + 8] = np.roll(end, 1, axis=1)

    digits = np.zeros(height, dtype=np.int64)
    digits[:rows] = signatures.digits
    for i in range(3):
        table[at.bits.start + i] = digits >> i & 1
    table[at.all_ones.start] = digits == CHAIN_TOP
    table[at.digit_sum.start] = np.cumsum(digits.reshape(-1, BLOCK), axis=1).reshape(-1)
    _fill_elements(table, signatures, digits)

    table[at.parameter.start : at.parameter.start + 5, :rows] = np.repeat(signatures.parameter, BLOCK, axis=1)
    table[at.epoch.start, :rows] = np.repeat(signatures.epoch, BLOCK)
    table[at.t1.start, :rows] = np.repeat(signatures.epoch // EPOCHS_PER_HIGH, BLOCK)
    table[at.range_bits.start, :rows] = _range_bits(signatures.epoch).reshape(-1)
    table[at.sig_id.start] = np.arange(height) // BLOCK
    table[at.is_active.start, : BLOCK * n] = 1
    return table


def _fill_elements(table: U32, signatures: SignatureBatch, digits: I64) -> None:
    """Remainder bits, the accumulator, and the elements before."""
    at = ChainColumns
    height = table.shape[1]
    elements = np.zeros((height // DIGITS_PER_ELEMENT,), dtype=np.int64)
    elements[: 8 * signatures.count] = signatures.encoded.T.reshape(-1)
    rest = elements % QUOTIENT
    bits = np.zeros((len(elements), DIGITS_PER_ELEMENT), dtype=np.int64)
    for k, weight in enumerate(REMAINDER_WEIGHTS):
        bits[:, k] = rest >= weight
        rest = rest - weight * bits[:, k]
    table[at.remainder_bit.start] = bits.reshape(-1)

    per_element = digits.reshape(-1, DIGITS_PER_ELEMENT)
    total = np.zeros(len(elements), dtype=np.int64)
    accumulator = table[at.accumulator.start].reshape(-1, DIGITS_PER_ELEMENT)
    for k, weight in enumerate(REMAINDER_WEIGHTS):
        scaled = weight * inverse(8 ** (DIGITS_PER_ELEMENT - 1 - k) % P) % P
        total = (8 * total + QUOTIENT * per_element[:, k] + scaled * bits[:, k]) % P
        accumulator[:, k] = total
    for i in range(3):
        table[at.earlier.start + i] = np.repeat(np.roll(total, 3 - i), DIGITS_PER_ELEMENT)


def _range_bits(epoch: I64) -> I64:
    """Words of `range_bits`, halved from row to row: rest (8 rows), rest + 1 (8), t1 (48); (n, 64)."""
    high, rest = np.divmod(epoch, EPOCHS_PER_HIGH)
    words = [(rest, 8), (rest + 1, 8), (high, 48)]
    return np.concatenate([word[:, None] >> np.arange(length) for word, length in words], axis=1)
