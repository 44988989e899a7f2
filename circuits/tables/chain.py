"""chain: 64 rows a signature, row i = Winternitz chain i: digits of the message, chain ends, leaf chunks.

A block is 64 rows (periodic columns have period 64, heights are multiples of it); row i = 8e + k is octal
digit k, most significant first, of d_e, where element e of the message hash is A_e = 127 d_e + r_e. What a
block states:

- *Digits are those of the hash.* `accumulator` sums 127 digit_k 8^(7-k) and r_e over the 8 rows of an
  element. Digits are three booleans; r_e = 62 x_0 + 32 x_1 + 16 x_2 + 8 x_3 + 4 x_4 + 2 x_5 + x_6 + x_7 with
  boolean x_k: every value of 0..126 and no other. So the sum is an integer <= 127 (2^24 - 1) + 126 = p - 2:
  it does not wrap, d_e and r_e are unique (the bits of r_e are not, and nothing else reads them), and
  A_e = p - 1 has no digits: such a message aborts. The four A_e of a half are received at rows 31 and 63.
- *Their sum is 295* (digit_sum; an integer <= 448, exact).
- *Each chain is walked from its digit to 7.* CHAIN_END has t0 of step digit + 1 and of step 7, for this
  epoch, chain and parameter; a digit of 7 takes no step and the end is the signature's value itself. t0 =
  epoch 2^24 + chain 2^16 + step 2^8 mod p, t1 = epoch div 127 (`circuits.xmss.hashing`: injective).
- *t1 is right.* `range_bits` shows, one bit a transition: rest = epoch - 127 t1 in 0..127 (rows 0..7), rest +
  1 in 0..127 (rows 8..15), so rest <= 126; t1 < 2^15 (rows 16..31). 127 t1 + rest < 2^22 does not wrap: epoch
  div 127 is unique. (So an epoch is below 127 * 2^15; keys have at most 2^18.)
- *The leaf is that of these ends.* The 519 elements parameter5, 256 epoch + 1, 0, end_0, .., end_63 are cut
  into 35 chunks of 15, each sent from one row that sees three neighbouring ends: chunk 0 from row 0, chunk c
  >= 1 from row (15 c - 7) div 8 + 1, at offset (15 c - 7) mod 8 of previous, end, following end; chunk 34 has
  9 elements and zeros.

Ids differ from block to block (sig_id grows by one; blocks are fewer than p), so that each (sig_id, step) is
sent at most once: what `p24` builds on. Only a block with is_active = 1 sends or receives. Blocks that are
not active are free.
"""

from __future__ import annotations

from typing import Any

from circuits.relations import CHAIN_END, CHUNK, ENCODING
from circuits.xmss.encoding import DIGITS_PER_ELEMENT, QUOTIENT, TARGET_SUM
from circuits.xmss.hashing import CHAIN_TOP, NUM_CHAINS
from prover.air.air import Air, AirBuilder
from prover.air.columns import Columns, column, columns
from prover.field import P, inverse

CHUNK_SIZE = 15
NUM_CHUNKS = 35
BLOCK = NUM_CHAINS
REMAINDER_WEIGHTS = (62, 32, 16, 8, 4, 2, 1, 1)
"""Subset sums: every integer of 0..126 and no other."""


def chunk_position(chunk: int) -> tuple[int, int]:
    """Row that sends a chunk (1..34), and where the chunk starts in (previous, end, following end)."""
    first_end, offset = divmod(CHUNK_SIZE * chunk - 7, 8)
    return first_end + 1, offset


def _rows(*rows: int) -> tuple[int, ...]:
    return tuple(int(i in rows) for i in range(BLOCK))


def _offset_rows(offset: int) -> tuple[int, ...]:
    positions = [chunk_position(chunk) for chunk in range(1, NUM_CHUNKS - 1)]
    return _rows(*(row for row, start in positions if start == offset))


def _chunk_steps() -> tuple[int, ...]:
    steps = [0] * BLOCK
    for chunk in range(1, NUM_CHUNKS):
        steps[chunk_position(chunk)[0]] = chunk
    return tuple(steps)


def _next_remainder_weights() -> tuple[int, ...]:
    """Weight of the following row's remainder bit in `accumulator`, which 8^(7-k) then multiplies."""
    top = DIGITS_PER_ELEMENT - 1
    scaled = [w * inverse(8 ** (top - k) % P) % P for k, w in enumerate(REMAINDER_WEIGHTS)]
    return tuple(scaled[(row + 1) % DIGITS_PER_ELEMENT] for row in range(BLOCK))


class ChainColumns(Columns):
    """36 columns."""

    end = columns(8)
    """Value of chain i at position 7. Any elements; bound by CHAIN_END (unless the digit is 7) and CHUNK."""
    previous = columns(8)
    """`end` of the row before (previous)."""
    bits = columns(3)
    """The digit, least significant bit first. Boolean."""
    all_ones = column()
    """bits[0] bits[1] bits[2]: the digit is 7, no step is walked."""
    remainder_bit = column()
    """One term of r_e (REMAINDER_WEIGHTS). Boolean."""
    accumulator = column()
    """Row k of element e: the sum over j <= k of (127 digit_j + w_j bit_j / 8^(7-j)) 8^(k-j).

    At k = 7 it is A_e, an integer below p - 1 (see the module).
    """
    earlier = columns(3)
    """The last three completed A_e before this element, oldest first; shifted at each element's end."""
    digit_sum = column()
    """Sum of the block's digits up to this row; <= 448; 295 at the end of an active block."""
    range_bits = column()
    """Range checks by halving: this - 2 following is a bit inside a word; 0 on rows 7, 15, 31 and 63."""
    parameter = columns(5)
    """The key's parameter; constant in a block; bound by ENCODING and CHAIN_END."""
    epoch = column()
    """The leaf's number; constant in a block; bound by ENCODING."""
    t1 = column()
    """epoch div 127; constant in a block; see the module for its range."""
    sig_id = column()
    """Constant in a block, one more in the next."""
    is_active = column()
    """The block is a signature. Boolean, constant in a block."""


class Chain(Air):
    """Degree 3; 3 fractions in 2 interaction columns; 36 + 12 base columns."""

    name = "chain"
    Main = ChainColumns
    periodic = {  # noqa: RUF012
        "chain": tuple(range(BLOCK)),
        "block_start": _rows(0),
        "block_end": _rows(63),
        "half_end": _rows(31, 63),
        "element_end": _rows(*range(7, BLOCK, 8)),
        "next_remainder_weight": _next_remainder_weights(),
        "rest_again": _rows(8),
        "t1_start": _rows(16),
        "word_end": _rows(7, 15, 63),
        "chunk_step": _chunk_steps(),
        **{f"offset{o}": _offset_rows(o) for o in range(8)},
    }

    def eval(self, builder: AirBuilder, local: ChainColumns, following: ChainColumns) -> None:
        """Digits and encoding, epoch, block constants, then what goes to the other tables."""
        self._encoding(builder, local, following)
        self._epoch_ranges(builder, local, following)
        self._block(builder, local, following)
        self._chain_end(builder, local)
        self._chunks(builder, local, following)

    def _encoding(self, builder: AirBuilder, local: ChainColumns, following: ChainColumns) -> None:
        """Digits, their sum, and the elements that they are digits of."""
        at = builder.periodic
        for i in range(3):
            builder.assert_bool(local.bits[i], f"digit_bit{i}_bool")
        builder.assert_bool(local.remainder_bit, "remainder_bit_bool")
        builder.assert_eq(local.all_ones, local.bits[0] * local.bits[1] * local.bits[2], "all_ones")

        before = local.accumulator * (1 - at.element_end)
        term = QUOTIENT * _digit(following) + at.next_remainder_weight * following.remainder_bit
        builder.assert_eq(following.accumulator, 8 * before + term, "accumulator")
        shifted = (*local.earlier[1:], local.accumulator)
        for i in range(3):
            step = at.element_end * (shifted[i] - local.earlier[i])
            builder.assert_eq(following.earlier[i], local.earlier[i] + step, f"earlier[{i}]")
        sum_before = local.digit_sum * (1 - at.block_end)
        builder.assert_eq(following.digit_sum, sum_before + _digit(following), "digit_sum")
        builder.when(at.block_end * local.is_active).assert_eq(local.digit_sum, TARGET_SUM, "target_sum")

        elements = (*local.earlier, local.accumulator)
        builder.receive(
            ENCODING,
            [local.sig_id, at.block_end, local.epoch, *local.parameter, *elements],
            local.is_active * at.half_end,
            "encoding",
        )

    def _epoch_ranges(self, builder: AirBuilder, local: ChainColumns, following: ChainColumns) -> None:
        """States epoch = 127 t1 + rest, rest <= 126, t1 < 2^15."""
        at = builder.periodic
        value = local.range_bits
        rest = local.epoch - QUOTIENT * local.t1
        builder.when(1 - at.word_end).assert_bool(value - 2 * following.range_bits, "range_bit")
        builder.when(at.word_end + at.half_end).assert_zero(value, "range_end")
        builder.when(at.block_start).assert_eq(value, rest, "rest_range")
        builder.when(at.rest_again).assert_eq(value, rest + local.is_active, "rest_plus_one_range")
        builder.when(at.t1_start).assert_eq(value, local.t1, "t1_range")

    def _block(self, builder: AirBuilder, local: ChainColumns, following: ChainColumns) -> None:
        """What is constant in a block, and the ids."""
        at = builder.periodic
        builder.assert_bool(local.is_active, "is_active_bool")
        inside = builder.when(1 - at.block_end)
        inside.assert_all_eq(following.parameter, local.parameter, "parameter_constant")
        inside.assert_eq(following.epoch, local.epoch, "epoch_constant")
        inside.assert_eq(following.t1, local.t1, "t1_constant")
        inside.assert_eq(following.is_active, local.is_active, "is_active_constant")
        builder.when_transition().assert_eq(
            following.sig_id, local.sig_id + at.block_end, "sig_id_counts_blocks"
        )
        builder.assert_all_eq(following.previous, local.end, "previous")

    def _chain_end(self, builder: AirBuilder, local: ChainColumns) -> None:
        """The chain was walked from digit + 1 to 7, unless the digit is 7."""
        base = 2**24 * local.epoch + 2**16 * builder.periodic.chain
        first, last = base + 256 * (_digit(local) + 1), base + 256 * CHAIN_TOP
        walked = local.is_active * (1 - local.all_ones)
        builder.receive(CHAIN_END, [first, last, local.t1, *local.parameter, *local.end], walked, "chain_end")

    def _chunks(self, builder: AirBuilder, local: ChainColumns, following: ChainColumns) -> None:
        """Sends the block's chunk of this row, if it has one."""
        at = builder.periodic
        offsets = [getattr(at, f"offset{o}") for o in range(8)]
        window = [*local.previous, *local.end, *following.end]
        opening = [*local.parameter, 256 * local.epoch + 1, 0, *local.end]
        ending = [*window[7:16], *[0] * 6]
        values = []
        for j in range(CHUNK_SIZE):
            value = at.block_start * opening[j] + at.block_end * ending[j]
            for o, here in enumerate(offsets):
                value = value + here * window[o + j]
            values.append(value)
        sends = at.block_start + at.block_end
        for here in offsets:
            sends = sends + here
        builder.send(CHUNK, [local.sig_id, at.chunk_step, *values], local.is_active * sends, "chunk")


def _digit(row: ChainColumns) -> Any:
    return row.bits[0] + 2 * row.bits[1] + 4 * row.bits[2]
