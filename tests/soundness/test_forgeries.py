"""Forged proofs: provers that follow the transcript to the end of their lie, and proofs carried elsewhere."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest

import native
from prover import commit as commit_module
from prover import prove as prove_module
from prover.air.air import Air, AirSystem, PublicTuple, Relation
from prover.air.columns import Columns, column
from prover.commit import setup
from prover.field import ONE, ZERO, P, add, inv, inverse, mul, power, sub
from prover.layout import TreeName
from prover.params import ProofParams
from prover.proof import Proof, header_bytes
from prover.prove import _Prover, prove
from prover.shape import Shape
from tests import small_system
from tests.proofs import NO_WORK, TINY, decoded, public_values, rejection, small_key, small_proof
from verifier.stark.reasons import RejectReason
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import Verification

QUERIES = ProofParams(2, 30, 0, 0, 2)
"""Enough queries that a codeword far from the code does not pass by luck (2^-30)."""


def _forge(params=QUERIES, tables=None):
    honest, public = small_system.make_tables()
    return prove(small_key(params), tables or honest, public, check_self=False).encode()


def _reason(data, params=QUERIES):
    return rejection(small_key(params).verifying_key, data, public_values())


def _false_tables(table="chain", position=(2, 5)):
    """One cell wrong: `square` of a row, by default."""
    tables, _ = small_system.make_tables()
    tables[table][position] = (int(tables[table][position]) + 1) % P
    return tables


def test_the_honest_proof_is_accepted():
    assert _reason(_forge()) is None


def _with_sums(monkeypatch, change):
    """The prover's cumulative sums changed before they are sent, absorbed and used."""
    original = prove_module.interaction_trace
    made = []

    def lying(air, *arguments):
        trace, total = original(air, *arguments)
        made.append(air.name)
        return trace, change(len(made) - 1, total)

    monkeypatch.setattr(prove_module, "interaction_trace", lying)


def test_sums_that_cancel_but_are_not_the_tables(monkeypatch):
    shift = (1, 2, 3, 4, 5, 6)
    _with_sums(monkeypatch, lambda i, s: (add(s, shift), sub(s, shift), s)[i])
    assert _reason(_forge()) is RejectReason.CONSTRAINTS


def test_an_unbalanced_lookup_whose_sums_are_made_to_cancel(monkeypatch):
    """`squares.count` wrong: the last table's sum is chosen so that the total is zero."""
    seen = []

    def change(i, s):
        seen.append(s)
        if i < 2:
            return s
        return missing["sum"]

    missing = {}
    original = _Prover.commit_interaction

    def lying(self):
        prover_sums = {}
        _with_sums(monkeypatch, lambda i, s: prover_sums.setdefault(i, s))
        fork = _fork(self)
        original(fork)
        others = add(add(prover_sums[0], prover_sums[1]), fork.public_contribution())
        missing["sum"] = sub(ZERO, others)
        monkeypatch.undo()
        monkeypatch.setattr(_Prover, "commit_interaction", lying)
        _with_sums(monkeypatch, change)
        original(self)

    monkeypatch.setattr(_Prover, "commit_interaction", lying)
    data = _forge(tables=_false_tables("squares", (0, 3)))
    assert len(seen) == 3 and seen[2] != missing["sum"]
    assert _reason(data) is RejectReason.CONSTRAINTS


def _fork(prover):
    """A copy of a run whose transcript and body may be spoilt."""
    out = object.__new__(_Prover)
    out.__dict__.update(prover.__dict__)
    out.transcript = prove_module.Transcript()
    out.transcript.state = prover.transcript.state
    out.body = list(prover.body)
    out.commitments, out.looked = dict(prover.commitments), dict(prover.looked)
    return out


class _Listening(ReferenceOps):
    """Notes the two sides of each height's identity at zeta."""

    def __init__(self, proof):
        super().__init__(proof.words, proof.public_values)
        self.sides = []

    def assert_equal(self, got, expected, reason, where):
        self.sides.append((got, expected))

    def assert_zero(self, *_):
        pass


def _solve_quotient_openings(prover, key):
    """Changes the first quotient column's opening at zeta until every height's identity holds."""
    body = array("I", [*prover.body, *(w for v in [*prover.at_zeta, *prover.at_next] for w in v)])
    ops = _Listening(Proof(key.layout, tuple(prover.public_values), body))
    steps = Verification(ops, key)
    steps.bind_statement()
    steps.read_main_commitment()
    steps.read_interaction_commitment()
    steps.read_quotient_commitment()
    steps.read_openings()
    steps.check_constraints()
    wrong = 0
    for log, (got, expected) in zip(key.layout.distinct, ops.sides, strict=True):
        vanishing = sub(power(prover.zeta, 1 << log), ONE)
        delta = mul(sub(expected, got), inv(vanishing))
        wrong += delta != ZERO
        start = key.layout.quotient_start(log)
        prover.at_zeta[start] = add(prover.at_zeta[start], delta)
    return wrong


@pytest.mark.parametrize("row", [0, 40, 511])
def test_quotient_openings_solved_for_a_false_trace(monkeypatch, row):
    """A total that no bus carries is wrong. The identities hold at zeta, but the opening is not the committed
    polynomial's: FRI must refuse (in the last row the bus `ends` carries it)."""
    key, original, wrong = small_key(QUERIES).verifying_key, _Prover._write_elements, []

    def lying(self, values):
        if values is getattr(self, "at_zeta", None):
            wrong.append(_solve_quotient_openings(self, key))
        original(self, values)

    monkeypatch.setattr(_Prover, "_write_elements", lying)
    data = _forge(tables=_false_tables("sink", (3, row)))
    assert wrong == [1]
    assert _reason(data) is (RejectReason.LOOKUP_SUM if row == 511 else RejectReason.FINAL_POLYNOMIAL)


def _commit_to_noise(monkeypatch, log, place, seed):
    """Noise stands where the extension of a main column (`place` in its class) should: in what is committed, opened and
    batched, and where the quotient and the openings at zeta read it."""
    noise, targets = {}, []
    honest = {
        "commit": prove_module.commit,
        "extension": commit_module.extension,
        "move": commit_module.TableColumns.move,
        "rows": commit_module.Commitment._rows,
        "deep": _Prover._deep_quotient,
    }

    def commit(layout, tree, classes, **keywords):
        if tree.name is TreeName.MAIN:
            size = layout.params.blowup << log
            noise["values"] = np.random.default_rng(seed).integers(0, P, size, dtype=np.uint32)
            noise["offsets"] = commit_module.coset_offsets(layout, log)
            targets.append(classes[log])
        return honest["commit"](layout, tree, classes, **keywords)

    def extension(tables, *arguments, move=False):
        start = 0
        for extended in honest["extension"](tables, *arguments, move=move):
            if targets and tables is targets[0] and start <= place < start + len(extended):
                extended[place - start] = noise["values"]
            start += len(extended)
            yield extended
        if move and targets and tables is targets[0]:
            tables[0].values[place] = noise["values"][:: len(noise["offsets"])]

    def move(self, offset):
        values = honest["move"](self, offset)
        if targets and self is targets[0][0] and offset in noise["offsets"]:
            at = noise["offsets"].index(offset)
            values[place] = noise["values"][at :: len(noise["offsets"])]
        return values

    def rows(self, height, indices):
        out = honest["rows"](self, height, indices)
        if self.tree.name is TreeName.MAIN and height == log:
            out[:, place] = noise["values"][indices & (noise["values"].size - 1)]
        return out

    def deep(self, height):
        if height != log:
            return honest["deep"](self, height)
        extended = []

        def dot(columns, weights):
            shift, offset = noise["offsets"][0], self.commitments[TreeName.MAIN].classes[log][0].offset
            ratio = shift * inverse(offset) % P
            extended.extend(native.coset_lde(c, self.layout.params.log_blowup, ratio) for c in columns)
            extended[before][place] = noise["values"]
            return native.row_dot(extended, weights)

        preprocessed = self.commitments.get(TreeName.PREPROCESSED)
        before = len(preprocessed.classes.get(log, ())) if preprocessed else 0
        kernels = _Kernels(row_dot=dot, coset_lde=lambda values, *_: values)
        with monkeypatch.context() as patch:
            patch.setattr(prove_module, "native", kernels)
            return honest["deep"](self, height)

    monkeypatch.setattr(prove_module, "commit", commit)
    monkeypatch.setattr(commit_module, "extension", extension)
    monkeypatch.setattr(commit_module.TableColumns, "move", move)
    monkeypatch.setattr(commit_module.Commitment, "_rows", rows)
    monkeypatch.setattr(_Prover, "_deep_quotient", deep)


class _Kernels:
    """native with functions replaced."""

    def __init__(self, **functions):
        self.__dict__.update(functions)

    def __getattr__(self, name):
        return getattr(native, name)


def test_main_column_that_is_no_low_degree_extension(monkeypatch):
    """The quotient reads the noise and so is no polynomial of its degree: openings miss the identity first."""
    layout = small_key(QUERIES).verifying_key.layout
    tallest = layout.tree(TreeName.MAIN).classes[0]
    _commit_to_noise(monkeypatch, tallest.log_height, tallest.tables[0][2] - 1, 1)
    assert _reason(_forge()) is RejectReason.CONSTRAINTS


class _Idle(Columns):
    x = column()
    unread = column()


class Idle(Air):
    """One column that nothing reads."""

    name, Main = "idle", _Idle

    def eval(self, builder, local, following):
        builder.assert_bool(local.x, "bool")


def test_unread_noise_column_is_still_refused(monkeypatch):
    """No constraint reads the column, so only its degree can betray it."""
    system = AirSystem((Idle(),))
    key = setup(system, Shape.of(system, {"idle": 6}), QUERIES)
    tables = {"idle": np.ones((2, 64), np.uint32)}
    assert rejection(key.verifying_key, prove(key, tables).encode(), []) is None
    _commit_to_noise(monkeypatch, 6, 1, 2)
    data = prove(key, tables, check_self=False).encode()
    assert rejection(key.verifying_key, data, []) is RejectReason.FINAL_POLYNOMIAL


class _Value(Columns):
    value = column()


class Copies(Air):
    """x is the preprocessed column."""

    name, Main, Fixed = "copies", _Idle, _Value

    def eval(self, builder, local, following):
        builder.assert_eq(local.x, builder.fixed.value, "copy")

    def fixed_columns(self, log_height):
        return [[3 * i for i in range(1 << log_height)]]


def test_preprocessed_columns_of_the_provers_choice():
    """Another table, with a main trace and openings that agree with it, opened under the key's root."""
    system = AirSystem((Copies(),))
    key = setup(system, Shape.of(system, {"copies": 6}), TINY)
    layout = key.verifying_key.layout
    honest = np.array([3 * np.arange(64), np.arange(64)], np.uint32)
    assert rejection(key.verifying_key, prove(key, {"copies": honest}).encode(), []) is None
    fixed = {0: (key.fixed[0] + 1).astype(np.uint32)}
    tables = {6: [commit_module.TableColumns(fixed[0], owned=False)]}
    tree = layout.tree(TreeName.PREPROCESSED)
    lying = replace(key, fixed=fixed, merkle=commit_module.commit(layout, tree, tables).merkle)
    false = honest.copy()
    false[0] += 1
    data = prove(lying, {"copies": false}, check_self=False).encode()
    assert rejection(key.verifying_key, data, []) is RejectReason.ROW_PATH


def _swapped_root(key):
    return replace(key, preprocessed_root=bytes(32))


def test_proof_under_a_key_with_another_preprocessed_root():
    key = small_key(NO_WORK).verifying_key
    assert rejection(_swapped_root(key), small_proof(NO_WORK), public_values()) is RejectReason.LOOKUP_SUM


# ---- proofs carried to another system, shape or parameters of the same length ----

LEFT, RIGHT = Relation("left", 1, 1), Relation("right", 2, 1)


class _Pair(Columns):
    x = column()
    y = column()


def _pair(table, factor=2, last=False, relation=LEFT, periodic=(1, 2), other=3):
    class Pair(Air):
        name, Main = table, _Pair

        def eval(self, builder, local, following):
            view = builder.when_last_row() if last else builder.when_first_row()
            view.assert_eq(local.y, local.x * factor, "scaled")
            builder.assert_zero((local.x - local.x) * builder.periodic.step, "cycle")
            builder.send(relation, [local.x], 1, "send")
            builder.receive(relation, [local.x], 1, "receive")
            builder.send(RIGHT if relation is LEFT else LEFT, [other], 0, "idle")

    Pair.periodic = {"step": periodic}
    return Pair()


def _pair_proof(air, log=4, others=()):
    system = AirSystem((air, *others))
    key = setup(system, Shape.of(system, {a.name: log for a in system.airs}), NO_WORK)
    return key.verifying_key, prove(key, {a.name: _free(log) for a in system.airs}).encode()


def _free(log):
    """x = 0; y free but on the end rows. (All zero, no word of a proof would depend on a challenge.)"""
    table = np.zeros((2, 1 << log), np.uint32)
    table[1, 1:-1] = np.arange(3, 1 + (1 << log))
    return table


@pytest.mark.parametrize(
    "changed",
    [
        {"factor": 3},
        {"last": True},
        {"relation": RIGHT},
        {"periodic": (1, 3)},
        {"periodic": (1, 2, 1, 2)},
        {"other": 4},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_proof_of_another_system_of_the_same_layout(changed):
    """The trace satisfies both systems: only the digest tells them apart."""
    key, data = _pair_proof(_pair("pair"))
    other, twin = _pair_proof(_pair("pair", **changed))
    assert rejection(key, data, []) is None and rejection(other, twin, []) is None
    assert len(data) == len(twin) and key.digest != other.digest
    assert rejection(other, data, []) is not None
    assert rejection(key, twin, []) is not None


def test_tables_in_another_order():
    a, b = _pair("a", factor=2), _pair("b", factor=5)
    key, data = _pair_proof(a, others=(b,))
    other, _ = _pair_proof(b, others=(a,))
    assert rejection(key, data, []) is None and rejection(other, data, []) is not None


def test_a_proof_of_another_shape_with_its_header_rewritten():
    """Heights exchanged between two tables of one width: same length, other shape."""
    airs = (_pair("a"), _pair("b"))
    system, keys, proofs = AirSystem(airs), [], []
    for logs in ({"a": 5, "b": 4}, {"a": 4, "b": 5}):
        key = setup(system, Shape.of(system, logs), NO_WORK)
        tables = {name: _free(log) for name, log in logs.items()}
        keys.append(key.verifying_key)
        proofs.append(prove(key, tables).encode())
    assert rejection(keys[0], proofs[0], []) is None
    assert rejection(keys[1], proofs[0], []) is RejectReason.SHAPE
    header = header_bytes(keys[1].layout)
    moved = header + proofs[0][len(header) :]
    assert len(moved) == len(proofs[1])
    assert rejection(keys[1], moved, []) not in (None, RejectReason.SHAPE, RejectReason.LENGTH)


def test_work_asked_for_cannot_be_dropped_by_the_header():
    """Under a key that asks for work: the parameters are bound, and the work is missing."""
    worked = ProofParams(1, 3, 8, 8, 3)
    key = small_key(worked).verifying_key
    data = small_proof(NO_WORK)
    assert rejection(key, data, public_values()) is RejectReason.PARAMETERS
    header = header_bytes(key.layout)
    assert rejection(key, header + data[len(header) :], public_values()) is RejectReason.LOOKUP_SUM


@pytest.mark.parametrize("where", ["batching nonce", "query nonce"])
@pytest.mark.parametrize("params", [TINY, NO_WORK], ids=["work", "no work"])
def test_every_bit_of_a_nonce_is_bound(where, params):
    """The high word too, and where no work is asked for."""
    for bit in (0, 31, 32, 63):
        proof = decoded(params)
        leaf = next(leaf for leaf in proof.leaves() if leaf.path.startswith(where))
        words = list(proof.get(leaf))
        words[bit // 32] ^= 1 << bit % 32
        proof.set(leaf, words)
        assert _reason(proof.encode(), params) is not None


def test_one_query_answered_for_all():
    proof = decoded(TINY)
    base, words = proof.layout.head_words, proof.layout.query_words
    first = proof.words[base : base + words]
    for q in range(1, TINY.num_queries):
        proof.words[base + q * words : base + (q + 1) * words] = first
    assert _reason(proof.encode(), TINY) is RejectReason.ROW_PATH


# ---- LogUp: tuples of different relations, or of one that differ in leading or trailing zeros ----

WIDE = Relation("wide", 3, 3)


def _crossing(sent, received, sent_values, received_values):
    class Crossing(Air):
        name, Main = "crossing", _Pair

        def eval(self, builder, local, following):
            builder.send(sent, sent_values(local), 1, "send")
            builder.receive(received, received_values(local), 1, "receive")

    return Crossing()


@pytest.mark.parametrize(
    ("sent", "received", "sent_values", "received_values", "balanced"),
    [
        (LEFT, LEFT, lambda r: [r.x], lambda r: [r.x], True),
        (LEFT, RIGHT, lambda r: [r.x], lambda r: [r.x], False),
        (LEFT, RIGHT, lambda r: [r.x], lambda r: [r.x - 1], False),
        (WIDE, LEFT, lambda r: [r.x, 0, 0], lambda r: [r.x], False),
        (WIDE, WIDE, lambda r: [r.x, 0, 0], lambda r: [0, r.x, 0], False),
        (WIDE, WIDE, lambda r: [r.x, r.y, 0], lambda r: [r.y, r.x, 0], False),
    ],
)
def test_only_equal_tuples_of_one_relation_cancel(sent, received, sent_values, received_values, balanced):
    system = AirSystem((_crossing(sent, received, sent_values, received_values),))
    key = setup(system, Shape.of(system, {"crossing": 5}), NO_WORK)
    table = np.array([[5] * 32, [6] * 32], np.uint32)
    data = prove(key, {"crossing": table}, check_self=False).encode()
    expected = None if balanced else RejectReason.LOOKUP_SUM
    assert rejection(key.verifying_key, data, []) is expected


def test_a_public_tuple_of_another_relation_does_not_cancel():
    class Sender(Air):
        name, Main = "sender", _Pair

        def eval(self, builder, local, following):
            builder.send(LEFT, [local.x], local.y, "send")

    table = np.zeros((2, 32), np.uint32)
    table[:, 0] = 5, 1
    for relation, expected in ((LEFT, None), (RIGHT, RejectReason.LOOKUP_SUM)):
        system = AirSystem((Sender(),), 1, (PublicTuple(relation, (("public", 0),), -1),))
        key = setup(system, Shape.of(system, {"sender": 5}), NO_WORK)
        data = prove(key, {"sender": table}, [5], check_self=False).encode()
        assert rejection(key.verifying_key, data, [5]) is expected
