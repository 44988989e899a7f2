"""Provers that follow the protocol but for one lie."""

import numpy as np
import pytest

import native
from prover import commit as commit_module
from prover import fri, merkle
from prover import prove as prove_module
from prover.air.air import Air, AirSystem
from prover.air.columns import Columns, column
from prover.commit import setup
from prover.field import P
from prover.hashing import ood_root
from prover.params import ProofParams
from prover.prove import prove
from prover.shape import Shape
from tests import small_system
from tests.proofs import NO_WORK, TINY, decoded, public_values, rejection, small_key
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import Verification


def _lie(monkeypatch, module, name, change, at):
    """The at-th call of module.name has its result changed."""
    original, calls = getattr(module, name), []

    def lying(*arguments, **keywords):
        result = original(*arguments, **keywords)
        calls.append(1)
        return change(result) if len(calls) - 1 == at else result

    monkeypatch.setattr(module, name, lying)


def _prove(params=TINY):
    tables, public = small_system.make_tables()
    return prove(small_key(params), tables, public, check_self=False).encode()


def _plus_one(array):
    """Adds the constant polynomial 1: still of low degree."""
    out = np.array(array)
    out[0] = (out[0].astype(np.int64) + 1) % P
    return out


class _Kernels:
    """native with one function replaced."""

    def __init__(self, **functions):
        self.__dict__.update(functions)

    def __getattr__(self, name):
        return getattr(native, name)


@pytest.mark.parametrize("params", [TINY, NO_WORK], ids=["work", "no work"])
def test_a_codeword_that_is_not_the_deep_quotient(monkeypatch, params):
    _lie(monkeypatch, prove_module._Prover, "_deep_quotient", _plus_one, 0)
    assert rejection(small_key(params).verifying_key, _prove(params), public_values()) is RejectReason.DEEP


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_fold_that_is_another_polynomial(monkeypatch, layer):
    calls = []

    def fold(codeword, *arguments):
        out = native.fri_fold(codeword, *arguments)
        calls.append(1)
        return _plus_one(out) if len(calls) - 1 == layer else out

    monkeypatch.setattr(fri, "native", _Kernels(fri_fold=fold))
    key = small_key(TINY).verifying_key
    last = len(key.layout.fri_layers) - 1
    expected = RejectReason.FINAL_POLYNOMIAL if layer == last else RejectReason.FRI_FOLD
    assert rejection(key, _prove(), public_values()) is expected


@pytest.mark.parametrize("height", [1, 2])
def test_a_shorter_quotient_that_joins_altered(monkeypatch, height):
    """Joins after layers 0 and 1 must be the G_h of the opened rows."""
    _lie(monkeypatch, prove_module._Prover, "_deep_quotient", _plus_one, height)
    assert rejection(small_key(TINY).verifying_key, _prove(), public_values()) is RejectReason.FRI_FOLD


def test_a_final_polynomial_of_another_codeword(monkeypatch):
    monkeypatch.setattr(
        fri, "native", _Kernels(coset_intt=lambda *arguments: _plus_one(native.coset_intt(*arguments)))
    )
    reason = rejection(small_key(TINY).verifying_key, _prove(), public_values())
    assert reason is RejectReason.FINAL_POLYNOMIAL


def test_a_first_codeword_of_noise(monkeypatch):
    rng = np.random.default_rng(2)

    def noise(array):
        return rng.integers(0, P, array.shape, dtype=np.uint32)

    _lie(monkeypatch, prove_module._Prover, "_deep_quotient", noise, 0)
    assert rejection(small_key(TINY).verifying_key, _prove(), public_values()) is RejectReason.DEEP


def test_a_tree_that_leaves_out_shorter_tables(monkeypatch):
    """The injection gap: without the injected rows they would be free."""

    class Gap(merkle.MerkleTree):
        def __init__(self, classes):
            tallest = max(classes)
            super().__init__({tallest: classes[tallest]})

    monkeypatch.setattr(commit_module, "MerkleTree", Gap)
    assert rejection(small_key(TINY).verifying_key, _prove(), public_values()) is RejectReason.ROW_PATH


def test_openings_left_out_of_the_transcript(monkeypatch):
    """A prover that draws gamma before it fixes the openings."""
    monkeypatch.setattr(prove_module, "ood_root", lambda points: ood_root([[bytes(24)] * len(points[0])] * 2))
    reason = rejection(small_key(TINY).verifying_key, _prove(), public_values())
    assert reason is RejectReason.BATCHING_GRINDING


def test_a_wrong_opening_of_an_unread_column(monkeypatch):
    """Consistent with the transcript, read by no constraint: the DEEP quotient has too high a degree."""

    original = prove_module._Prover.open_columns

    def lying(self):
        place = self._place

        def placed(start, values):
            place(start, values)
            if start == 0:
                self.at_next[0] = ((self.at_next[0][0] + 1) % P, *self.at_next[0][1:])

        self._place = placed
        original(self)

    monkeypatch.setattr(prove_module._Prover, "open_columns", lying)
    key = small_key(ProofParams(2, 30, 0, 0, 2))
    tables, public = small_system.make_tables()
    data = prove(key, tables, public, check_self=False).encode()
    reason = rejection(key.verifying_key, data, public)
    assert reason is RejectReason.FINAL_POLYNOMIAL


class _Cubic(Columns):
    x = column()
    y = column()


class Cubic(Air):
    name, Main = "cubic", _Cubic

    def eval(self, builder, local, following):
        builder.when_transition().assert_eq(following.x, local.x * local.x * local.y, "step")
        builder.assert_eq(local.x * local.y * local.y, local.x, "cube")


def test_full_degree_with_transition_proves_and_its_violation_does_not():
    system = AirSystem((Cubic(),))
    key = setup(system, Shape.of(system, {"cubic": 5}), ProofParams(1, 20, 0, 0, 2))
    good = np.ones((2, 32), np.uint32)
    assert rejection(key.verifying_key, prove(key, {"cubic": good}).encode(), []) is None
    good[1, 5] = 2
    data = prove(key, {"cubic": good}, check_self=False).encode()
    assert rejection(key.verifying_key, data, []) is RejectReason.CONSTRAINTS


class _Forced(ReferenceOps):
    """Some challenges, by their number, are replaced."""

    def __init__(self, proof, forced):
        super().__init__(proof.words, proof.public_values)
        self._forced, self._count = forced, -1

    def challenge(self, block):
        self._count += 1
        return self._forced.get(self._count) or super().challenge(block)


def test_zeta_in_the_base_field_is_refused():
    ops = _Forced(decoded(TINY), {3: (12345, 0, 0, 0, 0, 0)})
    with pytest.raises(VerificationError) as error:
        Verification(ops, small_key(TINY).verifying_key).run()
    assert (error.value.reason, error.value.where) == (RejectReason.ZETA, "step 5")


def test_a_pole_of_a_public_tuple_is_refused():
    """beta_lu = 0 and alpha_lu = -relation id make the first public tuple's fingerprint zero."""
    ops = _Forced(decoded(TINY), {0: (P - small_system.ENDS.id, 0, 0, 0, 0, 0), 1: (0,) * 6})
    with pytest.raises(VerificationError) as error:
        Verification(ops, small_key(TINY).verifying_key).run()
    assert (error.value.reason, error.value.where) == (RejectReason.DIVISION_BY_ZERO, "public tuple 0")


@pytest.mark.parametrize("log", [0, 1, 2])
@pytest.mark.parametrize("log_blowup", [1, 2, 4])
def test_the_shortest_tables_prove(log, log_blowup):
    system = AirSystem((Cubic(),))
    key = setup(system, Shape.of(system, {"cubic": log}), ProofParams(log_blowup, 4, 3, 3, 0))
    table = np.ones((2, 1 << log), np.uint32)
    assert rejection(key.verifying_key, prove(key, {"cubic": table}).encode(), []) is None
    table[1, 0] = 3
    data = prove(key, {"cubic": table}, check_self=False).encode()
    assert rejection(key.verifying_key, data, []) is RejectReason.CONSTRAINTS
