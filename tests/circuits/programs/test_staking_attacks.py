"""What an independent reader tried on staking: evidence shopped for, risk dodged, leaves held, the hook starved."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.staking import Said
from circuits.rollup.types import BlockHash, Call
from circuits.xmss.scheme import PublicKey
from tests.circuits.programs.test_election import RULES, chain
from tests.circuits.programs.world import block
from tests.circuits.rollup.builders import key

AMOUNT = 10 * RULES.min_stake
PENALTY = AMOUNT * RULES.slash_rate // 10_000


class Story:
    """A chain of three sequencers, in its first epoch of stakes, told block by block; `epoch` is the program's."""

    def __init__(self) -> None:
        self.world, self.layout, self.sequencers, self.rich = chain()
        self.program = self.layout.program
        self.slot, self.tip = 3, 13
        self.offender = self.sequencers[0]
        self.owner = self.world.data(self.offender)[0] & 0xFFFFFFFF
        self.produce(events=[block(13)])

    @property
    def epoch(self) -> int:
        return self.world.data(self.layout.clock)[2] & 0xFFFFFFFF

    def produce(
        self,
        *sent: tuple[int, tuple[Call, ...]],
        events: Sequence[BlockHash] = (),
        cosigners: Sequence[PublicKey] = (),
    ) -> list[tuple[int, ...] | None]:
        """A block; of each list the words of its last event, None if it failed."""
        for signer, calls in sent:
            self.world.send(signer, *calls, cosigners=cosigners)
        leader = Election(self.world.ledger, self.layout, RULES, events).leader(self.slot)
        producer = staking.producer_purse(leader) if leader else self.rich
        done = self.world.produce(self.slot, producer, 1, events)
        self.slot += 1
        return [
            None if receipt.failure else receipt.events[-1].values if receipt.events else ()
            for receipt in done.receipts
        ]

    def one(self, signer: int, *calls: Call, cosigners: Sequence[PublicKey] = ()) -> tuple[int, ...] | None:
        """One list in a block of its own."""
        return self.produce((signer, calls), cosigners=cosigners)[0]

    def pass_epoch(self) -> None:
        """A Bitcoin block of the next epoch, behind the freeze and the seed."""
        self.tip += RULES.epoch_blocks
        self.produce(events=[block(self.tip)])

    def staked(self, amount: int = AMOUNT) -> int:
        """`rich` stakes on the offender; the stake's cell."""
        move = Call.bank_move(self.rich, self.layout.stakes, amount)
        said = self.one(self.rich, move, staking.stake(self.program, self.offender, amount))
        assert said is not None
        return said[1]

    def show(self, slot: int, blocks: tuple[int, int] = (4, 8)) -> tuple[int, ...] | None:
        """Evidence by `rich` that the offender signed both for a slot."""
        call = staking.slash(self.program, self.offender, slot, blocks, (1, 2))
        return self.one(self.rich, call, cosigners=(key(self.owner),) * 2)

    def left(self, stake: int) -> int:
        """Two epochs after the next: what its staker gets for it."""
        while self.epoch < self.world.data(stake)[2] + 2:
            self.pass_epoch()
        said = self.one(self.rich, staking.release(self.program, stake))
        assert said is not None
        assert said[:2] == (Said.RELEASED, stake)
        return said[2]


def test_evidence_of_an_old_slot_does_not_save_the_stake_of_today() -> None:
    """A sequencer that offends with fresh stake shows first, by itself, two statements for a slot before that stake."""
    story = Story()
    old = story.slot - 1
    stake = story.staked()
    story.pass_epoch()
    story.produce()
    offence = story.slot - 1
    assert story.show(old) is not None, "the culprit's own report"
    assert story.show(offence) is None, "the true one comes too late"
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    assert story.left(stake) == AMOUNT - PENALTY


def test_evidence_of_a_new_slot_does_not_save_the_stake_of_then() -> None:
    """Or its accomplice unstakes after the offence, and the culprit shows one for a slot behind that."""
    story = Story()
    stake = story.staked()
    story.pass_epoch()
    offence = story.slot - 1
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    story.pass_epoch()
    held = story.world.balance(story.layout.stakes)
    assert story.show(story.slot - 1) is not None, "the culprit's own report"
    bond = held - story.world.balance(story.layout.stakes)
    assert bond == RULES.bond
    assert story.show(offence) == (Said.SLASHED, story.offender, offence), "the true one still counts"
    assert story.world.balance(story.layout.stakes) == held - bond, "but the bond is paid once"
    assert story.show(offence) is None
    assert story.left(stake) == AMOUNT - PENALTY


def test_what_earns_is_at_risk_even_if_it_never_weighs() -> None:
    """Staked and unstaked before the freeze: it has earned, so it pays like all others."""
    story = Story()
    stake = story.staked()
    story.produce()
    offence = story.slot - 1
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    assert story.show(offence) is not None
    assert story.left(stake) == AMOUNT - PENALTY


def test_who_left_before_the_offence_pays_nothing() -> None:
    story = Story()
    stake = story.staked()
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    story.pass_epoch()
    assert story.show(story.slot - 1) is not None
    assert story.left(stake) == AMOUNT


@pytest.mark.parametrize("blocks", [(4, 5), (4, 6), (7, 4), (2**64 - 1, 2**64 - 2)])
def test_different_parts_of_one_commitment_are_no_evidence(blocks: tuple[int, int]) -> None:
    """An honest sequencer signs all four parts for its slot."""
    story = Story()
    assert story.show(story.slot - 1, blocks) is None


def test_a_difference_in_any_part_is_evidence() -> None:
    one = tuple(range(100, 108))
    for place in range(8):
        two = tuple(limb + (k == place) for k, limb in enumerate(one))
        pairs = list(zip(staking.statements(one), staking.statements(two), strict=True))
        differ = [pair for pair in pairs if pair[0] != pair[1]]
        assert len(differ) == 1
        story = Story()
        assert story.show(story.slot - 1, differ[0]) is not None


@pytest.mark.parametrize("slashed", [False, True])
def test_anyone_frees_the_leaf_of_a_sequencer_that_stopped(slashed: bool) -> None:
    """Its owner has the bond, whoever calls; a slashed one has no reason to call."""
    story = Story()
    call = staking.unbond(story.program, story.offender)
    assert story.one(story.rich, call) is None, "it works"
    if slashed:
        assert story.show(story.slot - 1) is not None
    else:
        assert story.one(story.owner, staking.resign(story.program, story.offender)) is not None
    assert story.one(story.rich, call) is None, "evidence may still come"
    while story.world.data(story.offender + 1)[3] + 2 > story.epoch:
        story.pass_epoch()
    owner, held = story.world.balance(story.owner), story.world.balance(story.layout.stakes)
    assert story.one(story.rich, call) is not None
    back = 0 if slashed else RULES.bond
    assert story.world.balance(story.owner) == owner + back
    assert story.world.balance(story.layout.stakes) == held - back
    assert story.one(story.rich, call) is None, "once"
    move = Call.bank_move(story.rich, story.layout.stakes, RULES.bond)
    said = story.one(story.rich, move, staking.register(story.program, 1, story.offender))
    assert said is not None
    leaf = story.world.data(said[1])[3] >> 32
    assert leaf == story.world.data(story.offender)[3] >> 32
