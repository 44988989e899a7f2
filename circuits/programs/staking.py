"""Staking, election, fee shares and slashing: one program that is the chain's hook (docs/programs/staking.md).

As the hook (selector 0) it lets a batch be only if its producer is the one elected for its slot, counts misses, and
shares out what the batch before has earned. All else is called by people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.programs.staking_source import SOURCE
from circuits.rollup.cells import Cell, DataCell, Purse, owner_cell
from circuits.rollup.operations import Call
from circuits.rollup.params import BASE_FEE_PURSE, BLOCK_CELL, DATA_FEE_PURSE
from circuits.rollup.words import Digest
from prover.poseidon2 import P

SCALE: Final = 10**9
"""Rewards are counted in 10^-9 msat per msat of stake."""
SAFE_SHARE: Final = 10**10
"""A block's income per msat of stake that fits 64 bits when scaled; more goes to the fund."""
MAX_ACC: Final = 1 << 63
MAX_DRAWN: Final = 200
"""Levels of the tree that a hook may visit, a draw counted as two, so that its worst case fits its gas."""
GONE: Final = 0xFFFFFFFE
"""`closed` of a sequencer whose bond is gone: its leaf may be reused."""
REPLACED: Final = 0xFFFFFFFF
NO_CELL: Final = 0xFFFFFFFE


class Selector(IntEnum):
    """What can be called; 0 is the hook's."""

    HOOK = 0
    REGISTER = 1
    STAKE = 2
    UNSTAKE = 3
    RELEASE = 4
    CLAIM = 5
    EARN = 6
    RESIGN = 7
    UNBOND = 8
    SLASH = 9


class Said(IntEnum):
    """First words of its events. The first four are sources of income: then the amount, and the sequencer or 0."""

    BASE_FEE = 1
    DATA_FEE = 2
    TIP = 3
    MEV = 4
    SHARED = 5
    """Then the sequencer's part and the fund's."""
    STAKERS = 6
    """Then the stakers' part and the accumulator after it."""
    REGISTERED = 7
    STAKED = 8
    UNSTAKED = 9
    RELEASED = 10
    CLAIMED = 11
    EARNED = 12
    RESIGNED = 13
    UNBONDED = 14
    SLASHED = 15
    PENALTY = 16


@dataclass(frozen=True, slots=True)
class Rules:
    """What a chain fixes at genesis.

    Attributes:
        depth: Of the election tree: 2^depth sequencers at a time.
        epoch_blocks: Bitcoin blocks of an epoch.
        seed_blocks: How many of them pass between the freezing of the weights and the block that seeds.
        max_jump: Slots that a producer may skip ahead, for each Bitcoin block since the last batch and one more.
        max_rank: Fallbacks; the k-th may produce when k Bitcoin blocks have passed since the last batch.
        open_blocks: After so many anyone may.
        bond: Of a sequencer.
        min_stake: Least stake.
        fund_rate: The fund's share of base fees, tips and MEV, in 1 / 10,000.
        slash_rate: What a double production costs those who staked on its author, in 1 / 10,000.
        report_rate: The reporter's share of the bond, in 1 / 10,000; the rest is the fund's.

    Units: bond and min_stake in msat.
    """

    depth: int = 8
    epoch_blocks: int = 144
    seed_blocks: int = 6
    max_jump: int = 4
    max_rank: int = 3
    open_blocks: int = 6
    bond: int = 100_000_000_000
    min_stake: int = 10_000_000
    fund_rate: int = 500
    slash_rate: int = 1_000
    report_rate: int = 1_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells of the program, which genesis makes: `program`, then these."""

    program: int
    depth: int

    @property
    def totals(self) -> int:
        """Data: msat held for stakes and bonds, weight that earns, accumulator, carry."""
        return self.program + 2

    @property
    def clock(self) -> int:
        """Data: seed, last producer | its Bitcoin height, epoch | freeze, leaves used."""
        return self.program + 3

    @property
    def starts(self) -> int:
        """Data: first slots of this epoch and the two before."""
        return self.program + 4

    @property
    def stakes(self) -> int:
        """Purse of stakes and bonds."""
        return self.program + 5

    @property
    def rewards(self) -> int:
        """Purse of what was shared out and not claimed."""
        return self.program + 6

    @property
    def income(self) -> int:
        """Purse into which MEV is paid, by anyone."""
        return self.program + 7

    @property
    def fund(self) -> int:
        """Purse of the fund; genesis says whose."""
        return self.program + 8

    @property
    def nodes(self) -> int:
        """Node j of the election tree is the data cell `nodes` + j; the root is node 1, leaf i is node 2^depth + i."""
        return self.program + 8

    @property
    def end(self) -> int:
        """The first cell behind."""
        return self.nodes + (2 << self.depth)

    def cells(self, fund_owner: Digest) -> Mapping[int, Cell]:
        """What genesis puts behind the program's cell and book."""
        empty = DataCell(self.program, (0, 0, 0, 0))
        own = owner_cell(self.program)
        nodes = {self.nodes + j: empty for j in range(1, 2 << self.depth)}
        purses: dict[int, Cell] = {cell: Purse(own) for cell in (self.stakes, self.rewards, self.income)}
        data = dict.fromkeys((self.totals, self.clock, self.starts), empty)
        return {**data, **purses, self.fund: Purse(fund_owner), **nodes}


def build(program: int, rules: Rules = Rules()) -> Program:
    """The program, for its cell.

    Raises:
        ValueError: Rules that do not fit each other.
    """
    if not 0 < rules.seed_blocks < rules.epoch_blocks:
        raise ValueError("the seed's block must fall inside an epoch")
    if rules.min_stake < 1000:
        raise ValueError("min_stake must be a sat at least")
    if rules.depth < 1 or rules.max_jump < 1:
        raise ValueError(
            "depth and max_jump must be 1 at least: a leaf has a parent, a block a slot of its own"
        )
    if (rules.max_jump + rules.max_rank + 1) * (rules.depth + 2) > MAX_DRAWN:
        raise ValueError(
            f"draws (max_jump + max_rank + 1) times (depth + 2) must be {MAX_DRAWN} at most: hook's gas"
        )
    at = Layout(program, rules.depth)
    constants = {
        "PROGRAM_CELL": program, "TOTALS": at.totals, "CLOCK": at.clock, "STARTS": at.starts,
        "STAKES": at.stakes, "REWARDS": at.rewards, "INCOME": at.income, "FUND": at.fund,
        "NODES": at.nodes, "ROOT": at.nodes + 1, "LEAVES": 1 << rules.depth,
        "FIRST_LEAF": at.nodes + (1 << rules.depth), "FIRST_DYNAMIC": at.end,
        "BASE_FEES": BASE_FEE_PURSE, "DATA_FEES": DATA_FEE_PURSE, "BLOCK": BLOCK_CELL,
        "SCALE": SCALE, "SAFE_SHARE": SAFE_SHARE, "MAX_ACC": MAX_ACC, "FIELD": P,
        "GONE": GONE, "REPLACED": REPLACED, "NO_CELL": NO_CELL,
        "EPOCH_BLOCKS": rules.epoch_blocks, "SEED_BLOCKS": rules.seed_blocks, "MAX_JUMP": rules.max_jump,
        "MAX_RANK": rules.max_rank, "OPEN_BLOCKS": rules.open_blocks, "BOND": rules.bond,
        "MIN_STAKE": rules.min_stake, "FUND_RATE": rules.fund_rate, "SLASH_RATE": rules.slash_rate,
        "REPORT_RATE": rules.report_rate,
    }  # fmt: skip
    return assemble_user(SOURCE, constants | {said.name: said.value for said in Said})


def producer_purse(sequencer: int) -> int:
    """The purse that a sequencer produces with: tips land in it, and the program shares them out."""
    return sequencer + 2


def register(program: int, commission: int, replaced: int = 0) -> Call:
    """The signer becomes a sequencer; its bond is in the stake purse by a bank move before.

    Args:
        program: The program's cell.
        commission: In 1 / 10,000.
        replaced: A sequencer that is gone, to reuse its leaf; 0 for a new one.
    """
    return Call(program, Selector.REGISTER, (commission, replaced, 0, 0))


def stake(program: int, sequencer: int, amount: int) -> Call:
    """The signer stakes what a bank move before has put into the stake purse; makes a stake's cell."""
    return Call(program, Selector.STAKE, (sequencer, amount, 0, 0))


def unstake(program: int, cell: int) -> Call:
    """The signer's stake stops to weigh and to earn; `release` gives it back two epochs after the next."""
    return Call(program, Selector.UNSTAKE, (cell, 0, 0, 0))


def release(program: int, cell: int) -> Call:
    """What was unstaked comes back to the signer."""
    return Call(program, Selector.RELEASE, (cell, 0, 0, 0))


def claim(program: int, cell: int) -> Call:
    """Rewards of the signer's stake."""
    return Call(program, Selector.CLAIM, (cell, 0, 0, 0))


def earn(program: int, sequencer: int) -> Call:
    """The signer's commission as a sequencer."""
    return Call(program, Selector.EARN, (sequencer, 0, 0, 0))


def resign(program: int, sequencer: int) -> Call:
    """The signer is no sequencer any more from the next epoch on."""
    return Call(program, Selector.RESIGN, (sequencer, 0, 0, 0))


def unbond(program: int, sequencer: int) -> Call:
    """The bond of a sequencer that has stopped back to its owner, two epochs after that; anyone may call."""
    return Call(program, Selector.UNBOND, (sequencer, 0, 0, 0))


def statements(commitment: Digest) -> tuple[int, int, int, int]:
    """What a sequencer signs for its slot: all four words, or the block is not to be believed.

    The commitment is a digest of all that fixes a block: state before, header, data commitment (which leaves out the
    Bitcoin height). Word k is two of its elements, 31 bits each, above k in two bits: one word of 64 bits
    would let it look for two blocks with the same word (2^32 tries); the four hold all of the commitment.
    """
    first, second, third, fourth = (
        (commitment[2 * k] | commitment[2 * k + 1] << 31) << 2 | k for k in range(4)
    )
    return first, second, third, fourth


def slash(program: int, sequencer: int, slot: int, blocks: tuple[int, int], leaves: tuple[int, int]) -> Call:
    """Two different statements of one part for one slot, both signed by the sequencer's key: it loses its bond.

    Shown again for an earlier epoch, they cost no bond but the stakes that were there then.

    Args:
        program: The program's cell.
        sequencer: Who signed.
        slot: For which slot.
        blocks: The same one of the four `statements` of two commitments.
        leaves: With which leaves they were signed; the co-signatures go with the transaction.
    """
    packed = leaves[0] | leaves[1] << 32
    return Call(program, Selector.SLASH, (sequencer | slot << 32, *blocks, packed))
