"""What an independent reader tried on staking: evidence shopped for, risk dodged, leaves held.

Each block is run in specification and kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from circuits.programs import staking
from circuits.programs.election import Election
from circuits.programs.staking import Said
from circuits.rollup.cells import DataCell
from circuits.rollup.transition import apply
from circuits.rollup.types import BlockHash, Call
from circuits.xmss.scheme import PublicKey
from tests.circuits.programs.test_election import RULES, chain
from tests.circuits.programs.world import block
from tests.circuits.rollup.builders import key
from tests.circuits.rollup.test_hooks import refused_by_both
from tests.properties.signing import sign_batch, signers, with_keys
from tests.whole import prove_and_verify, whole

AMOUNT = 10 * RULES.min_stake
PENALTY = AMOUNT * RULES.slash_rate // 10_000


class Story:
    """A chain of three sequencers, in its first epoch of stakes, told block by block; `epoch` is the program's."""

    def __init__(self) -> None:
        self.world, self.layout, self.sequencers, self.rich = chain()
        self.world.kernel = True
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

    def stakes(self) -> list[tuple[int, tuple[int, ...]]]:
        """Cells and words of what `rich` has staked."""
        cells = self.world.ledger.cells.items()
        data = [(i, cell.values) for i, cell in cells if isinstance(cell, DataCell) and i >= self.layout.end]
        return [(i, words) for i, words in data if words[0] & 0xFFFFFFFF == self.rich]

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


@pytest.mark.parametrize(("epochs", "late"), [(0, False), (1, False), (2, True)])
def test_who_resigns_answers_for_what_the_next_epoch_overtakes(epochs: int, late: bool) -> None:
    """It signs twice for the last slot of its epoch, and a block that begins the next epoch takes that slot."""
    story = Story()
    assert story.one(story.owner, staking.resign(story.program, story.offender)) is not None
    for _ in range(epochs):
        story.pass_epoch()
    assert (story.show(story.slot - 1) is None) == late


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


def test_who_has_signed_one_block_is_not_slashed() -> None:
    """CHECKSIG never says no: a list with a co-signature that is not the sequencer's is left out, at nobody's cost."""
    story = Story()
    call = staking.slash(story.program, story.offender, story.slot - 1, (4, 8), (1, 2))
    leader = Election(story.world.ledger, story.layout, RULES).leader(story.slot)
    assert leader is not None
    story.world.send(story.rich, call, cosigners=(key(story.owner), key(story.rich)))
    batch = story.world.batch(story.slot, staking.producer_purse(leader), 1)
    for given in ((True, False), (False, True), (False, False)):
        answers = iter(given)
        done = apply(story.world.ledger, batch, valid=[True], check_cosignature=lambda _: next(answers))  # noqa: B023
        assert len(done.left_out) == 1
        assert not done.receipts
        assert done.ledger.cells[story.offender] == story.world.ledger.cells[story.offender]
        assert done.ledger.cells[story.rich] == story.world.ledger.cells[story.rich]


def test_one_payment_is_one_stake_or_one_bond() -> None:
    story = Story()
    move = Call.bank_move(story.rich, story.layout.stakes, AMOUNT)
    stake = staking.stake(story.program, story.offender, AMOUNT)
    assert story.one(story.rich, move, stake, stake) is None
    bond = Call.bank_move(story.rich, story.layout.stakes, RULES.bond)
    assert story.one(story.rich, bond, staking.register(story.program, 1), stake) is None
    assert story.one(story.rich, move, stake, move, stake) is not None


def test_nobody_but_who_is_elected_has_a_run() -> None:
    """Of the kernel either: another sequencer, a stranger, a fallback a block too early, the leader a slot too far."""
    story = Story()
    ledger, slot = story.world.ledger, story.slot
    election = Election(ledger, story.layout, RULES)
    leader, far = election.leader(slot), slot + RULES.max_jump
    late, fallback, rank = next(
        (s, second, 1) for s in range(slot, far) if (second := election.leader(s, 1)) != election.leader(s)
    )
    assert fallback is not None
    wrong = [(slot, staking.producer_purse(s)) for s in story.sequencers if s != leader]
    wrong += [(slot, story.rich), (slot, story.layout.rewards), (late, staking.producer_purse(fallback))]
    wrong += [(far, staking.producer_purse(s)) for s in story.sequencers]
    for at, producer in wrong:
        refused_by_both(ledger, story.world.batch(at, producer, rank))
    story.world.produce(late, staking.producer_purse(fallback), 1 + rank)


@pytest.mark.slow
def test_evidence_against_a_culprit_that_fled_is_proven() -> None:
    """It unstakes and shows a false one, a stranger the true one, the stake pays: each of these blocks is proven."""
    story = Story()
    stake = story.staked()
    story.pass_epoch()
    offence = story.slot - 1
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    story.pass_epoch()
    assert story.show(story.slot - 1) is not None
    assert story.show(offence) is not None
    assert story.left(stake) == AMOUNT - PENALTY
    keys = signers([story.rich, story.owner])
    proven = [
        block for block in story.world.batches if block[1].transactions[0:1] and block[1].header.slot > 5
    ]
    assert len(proven) == 4
    for before, blank in proven:
        real = with_keys(before, keys)
        done = whole(real, sign_batch(real, blank, keys))
        assert len(done.transition.receipts) == 1
        assert done.transition.num_failed == 0
        prove_and_verify(done)


def test_the_hook_is_not_called_by_hand() -> None:
    """With all that the kernel would pass for the next block, by the elected's owner."""
    story = Story()
    leader = Election(story.world.ledger, story.layout, RULES).leader(story.slot + 1)
    assert leader is not None
    owner = story.world.data(leader)[0] & 0xFFFFFFFF
    hook = Call(story.program, 0, (story.slot + 1, staking.producer_purse(leader), story.slot, 1))
    assert story.one(owner, hook) is None


def test_two_stakes_are_no_sequencer() -> None:
    """The amount of the second would be the commission of the first; the reward purse could pay it."""
    story = Story()
    move = Call.bank_move(story.rich, story.layout.stakes, AMOUNT)
    stake = staking.stake(story.program, story.offender, AMOUNT)
    said = story.one(story.rich, move, stake, move, stake)
    assert said is not None
    assert story.one(story.rich, Call.bank_move(story.rich, story.layout.rewards, 10**9)) is not None
    for cell in (said[1] - 1, story.offender + 1):
        for call in (staking.earn, staking.resign, staking.unbond):
            assert story.one(story.rich, call(story.program, cell)) is None


def test_a_node_is_no_stake() -> None:
    """Its first word is epoch | sequencer: in the epoch numbered as the thief's cell, that of a stake of his."""
    story = Story()
    story.tip = RULES.epoch_blocks * (story.rich - 1) + RULES.seed_blocks
    story.pass_epoch()
    story.staked()
    story.produce(
        (story.rich, (Call.bank_move(story.rich, story.layout.income, 10**9),)),
        (story.rich, (Call.bank_move(story.rich, story.layout.rewards, 10**11),)),
    )
    story.produce()
    leaf = story.world.data(story.offender)[3] >> 32
    node = story.layout.nodes + (1 << RULES.depth) + leaf
    stamp, _, mark, _ = story.world.data(node)
    assert stamp == story.rich | story.offender << 32
    assert 0 < mark < story.world.data(story.layout.totals)[2]
    for call in (staking.claim, staking.unstake, staking.release):
        assert story.one(story.rich, call(story.program, node)) is None


def test_what_is_released_is_its_stakers_alone_and_once() -> None:
    story = Story()
    stake = story.staked()
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    while story.epoch < story.world.data(stake)[2] + 2:
        story.pass_epoch()
    assert story.one(story.owner, staking.release(story.program, stake)) is None
    assert story.left(stake) == AMOUNT
    assert story.one(story.rich, staking.release(story.program, stake)) is None, (
        "nothing is said to be released"
    )


def test_what_is_staked_is_not_released_even_if_it_has_earned_nothing() -> None:
    """Its mark is then 0, which would be an epoch long past."""
    story = Story()
    (stake,) = (i for i, words in story.stakes() if words[0] >> 32 == story.offender)
    amount, mark, rest = story.world.data(stake)[1:]
    assert (mark, rest) == (0, 0)
    while story.epoch < 3:
        story.pass_epoch()
    assert story.one(story.rich, staking.release(story.program, stake)) is None
    assert story.world.data(stake)[1] == amount


def test_a_node_of_the_tree_is_not_released_though_its_words_fit() -> None:
    """In epoch 16 the owner with cell 16 is "staker" of the nodes that changed, their weights an unstaked stake's."""
    story = Story()
    assert story.owner == 16
    (stake,) = (i for i, words in story.stakes() if words[0] >> 32 == story.offender)
    amount = story.world.data(stake)[1]
    while story.epoch < 16:
        story.pass_epoch()
    assert story.one(story.rich, staking.unstake(story.program, stake)) is not None
    story.tip += 8  # behind the freeze of epoch 17, before its seed
    story.produce(events=[block(story.tip)])
    story.staked(2**32 - 1)
    leaf = story.layout.nodes + (1 << RULES.depth) + (story.world.data(story.offender)[3] >> 32)
    assert story.world.data(leaf) == (16 | story.offender << 32, amount, 0, 2**32 - 1)
    assert story.one(story.owner, staking.release(story.program, leaf)) is None
    assert story.world.data(leaf)[1] == amount
