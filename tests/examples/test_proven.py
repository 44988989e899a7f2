"""The examples' stories, and a batch with everything: executed, proven, accepted by both verifiers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from circuits.machine.user_assembler import assemble_user
from circuits.rollup.types import Call
from examples.programs import escrow, token, vault
from tests.circuits.rollup import test_hooks
from tests.circuits.rollup.builders import ALICE, BOB, CAROL, PRODUCER
from tests.examples import test_auction, test_escrow, test_token, test_vault
from tests.examples.chain import Chain
from tests.properties.signing import sign_batch, signers, with_keys
from tests.whole import everything, prove_and_verify, whole


def token_story() -> Chain:
    """Opened, minted, moved and burnt; one who may not mint; more than u64."""
    chain, program, purse = test_token.world()
    chain.succeed(ALICE, token.mint(program, purse, 1000))
    sink = chain.succeed(ALICE, token.open_purse(program, program)).events[0].values[2]
    chain.succeed(BOB, Call.bank_move(purse, sink, 400), token.burn(program, sink, 400))
    chain.fail(BOB, token.mint(program, purse, 1))
    chain.fail(ALICE, token.mint(program, purse, 2**64 - 1))
    return chain


def vault_story() -> Chain:
    """Filled, spent by two; then the same co-signature again."""
    chain, program, purse = test_vault.world()
    leaf = chain.purse(BOB).next_leaf + 3
    chain.succeed(ALICE, vault.spend(program, PRODUCER, 9_000, BOB, leaf), cosigners=(BOB,))
    chain.fail(ALICE, vault.spend(program, PRODUCER, 500, BOB, leaf), cosigners=(BOB,))
    assert chain.balance(purse) == 1_000
    return chain


def escrow_story() -> Chain:
    """Settled, after a try without the money."""
    chain, program, deal = test_escrow.world()
    settle = (test_escrow.deliver(deal), escrow.settle(program, deal, test_escrow.ALICES))
    chain.fail(BOB, *settle)
    test_escrow.pay(chain, deal)
    chain.succeed(BOB, *settle)
    return chain


def escrow_refunded_story() -> Chain:
    """Both take back what they gave, at the deadline and not before."""
    chain, program, deal = test_escrow.world()
    test_escrow.pay(chain, deal)
    chain.succeed(BOB, test_escrow.deliver(deal))
    chain.fail(ALICE, escrow.refund_buyer(program, deal))
    chain.height = test_escrow.DEADLINE
    chain.succeed(CAROL, escrow.refund_buyer(program, deal))
    chain.succeed(CAROL, escrow.refund_seller(program, deal, test_escrow.BOBS))
    return chain


def auction_story() -> Chain:
    """A bid too small, one that wins, one too late."""
    chain, program, sale, first = test_auction.world()
    chain.slot = first + 2
    chain.fail(BOB, *test_auction.bid(program, sale, test_auction.FLOOR))
    chain.succeed(BOB, *test_auction.bid(program, sale, test_auction.TOP))
    chain.fail(CAROL, *test_auction.bid(program, sale, test_auction.TOP, CAROL, test_auction.CAROLS))
    return chain


def hooks_story() -> Chain:
    """Two hooks before each batch; a key is kept, and signs after its purse's leaf is passed."""
    chain = Chain()
    chain.ledger = test_hooks.hooked({13: test_hooks.FIRST, 14: test_hooks.FIRST}, telling=test_hooks.TELLING)
    program = chain.deploy(ALICE, assemble_user(KEEPING))
    chain.succeed(ALICE, Call(program, 0, (BOB, 0, 0, 0)))
    kept = chain.data(program + 1)[0]
    leaf = chain.purse(BOB).next_leaf + 7
    chain.succeed(BOB, Call(program, 1, (kept, leaf, 0, 0)), cosigners=(BOB,))
    chain.succeed(ALICE, Call(program, 1, (kept, leaf, 0, 0)), cosigners=(BOB,))
    return chain


KEEPING = """
    .entries keep show
keep:
    CALL    CREATE_KEY, r2
    MOV     r8, r1
    CALL    CONTEXT, PROGRAM
    LI      r9, 1
    ADD     r9, r9, r1
    CALL    DSTORE, r9, 0, r8
    SYS     EXIT
show:                                   ; key cell, leaf: signed (1, 2)
    MOV     r8, r2
    MOV     r9, r3
    CALL    CHECKSIG, r8, 1, 2, r9
    SYS     EXIT
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "story", [hooks_story, token_story, vault_story, escrow_story, escrow_refunded_story, auction_story]
)
def test_story_is_proven(story: Callable[[], Chain]) -> None:
    chain, keys = story(), signers((PRODUCER, ALICE, BOB, CAROL))
    for before, blank in chain.batches:
        real = with_keys(before, keys)
        done = whole(real, sign_batch(real, blank, keys))
        assert len(done.transition.receipts) == 1
        prove_and_verify(done)


@pytest.mark.slow
def test_batch_with_everything_is_proven() -> None:
    prove_and_verify(everything())
