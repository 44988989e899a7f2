"""Attacks through the prover: told not to check itself it makes a proof, and both verifiers say why not."""

from __future__ import annotations

from functools import cache

import pytest

from circuits.statement import shape, system
from prover.commit import ProvingKey, setup
from prover.params import PRESETS
from prover.prove import ProvingError, prove
from tests.soundness import test_attacks, test_attacks_order, test_attacks_programs
from tests.soundness.forger import Forgery
from tests.soundness.scene import attack, deposit, sign, transfer
from tests.whole import SHAPE
from verifier.fast.verify import FastVerifier, fast_verifier
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.verify import verify

CASES = test_attacks.CASES | test_attacks_order.CASES | test_attacks_programs.CASES


@cache
def key() -> ProvingKey:
    return setup(system(), shape(SHAPE), PRESETS["standard"])


@cache
def fast() -> FastVerifier:
    return fast_verifier(key().verifying_key)


def proof_of(made: Forgery) -> bytes:
    return prove(key(), made.tables, made.public_values, check_self=False).encode()


def expected_reason(labels: set[str], relations: set[str]) -> RejectReason:
    """Sums are compared before constraints."""
    return RejectReason.LOOKUP_SUM if relations else RejectReason.CONSTRAINTS


def test_an_honest_batch_is_proven_and_accepted_by_both_verifiers():
    made = attack([sign(transfer(tip=3))], [deposit()])
    data = proof_of(made)
    fast().verify(data, made.public_values)
    verify(key().verifying_key, data, made.public_values)


def rejected_by_both(name: str) -> None:
    build, labels, relations = CASES[name]
    made = build()
    data = proof_of(made)
    for check in (fast().verify, lambda *given: verify(key().verifying_key, *given)):
        with pytest.raises(VerificationError) as caught:
            check(data, made.public_values)
        assert caught.value.reason is expected_reason(labels, relations)


@pytest.mark.parametrize(
    "name",
    ["sender_keeps_what_was_sent", "debit_is_jumped_over", "registers_of_the_transaction_before_are_seen"],
)
def test_proof_of_an_attack_is_rejected_with_its_reason_by_both_verifiers(name):
    rejected_by_both(name)


def test_the_prover_that_checks_itself_names_the_rule():
    made = CASES["sender_keeps_what_was_sent"][0]()
    with pytest.raises(ProvingError) as caught:
        prove(key(), made.tables, made.public_values)
    assert {t.relation for t in caught.value.violations.tuples} == {"add"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_proof_of_every_attack_is_rejected(name):
    rejected_by_both(name)
