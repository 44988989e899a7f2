import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover.air.air import Air, AirError, AirSystem, PublicTuple, Relation
from prover.air.columns import Columns, column
from prover.air.digest import system_digest
from prover.field import P
from prover.key import KeyFormatError, VerifyingKey
from prover.layout import Layout
from prover.params import PRESETS, ParamsError, ProofParams
from prover.proof import proof_length, proof_parts
from prover.shape import Shape, ShapeError, fold_schedule
from tests import small_system
from tests.proofs import TINY, small_key

BUS = Relation("bus", 1, 1)


class OneColumn(Columns):
    x = column()


def make_air(name="one", sends=1, relation=BUS, constant=1):
    class One(Air):
        Main = OneColumn

        def eval(self, builder, local, following):
            builder.assert_bool(local.x - constant, "bool")
            for i in range(sends):
                builder.send(relation, [local.x], 1, f"send {i}")

    One.name = name
    return One()


@pytest.mark.parametrize("name", PRESETS)
def test_params_encoding_is_exact(name):
    params = PRESETS[name]
    assert ProofParams.decode(params.encode()) == params
    assert len(params.encode()) == ProofParams.encoded_length()


@pytest.mark.parametrize(
    "change",
    [
        {"log_blowup": 0},
        {"num_queries": 0},
        {"log_max_arity": 4},
        {"query_grinding_bits": 32},
        {"hasher": "md5"},
    ],
)
def test_params_out_of_range_are_refused(change):
    with pytest.raises(ParamsError):
        ProofParams(
            **(
                {"log_blowup": 1, "num_queries": 1, "query_grinding_bits": 0, "batching_grinding_bits": 0}
                | change
            )
        )
    with pytest.raises(ParamsError):
        ProofParams.decode(bytes(28))
    with pytest.raises(ParamsError):
        ProofParams.decode(bytes(27))


@given(st.sets(st.integers(3, 21), min_size=1), st.integers(0, 3), st.integers(1, 3), st.integers(1, 3))
def test_every_height_is_a_layer_boundary(heights, final, arity, blowup):
    distinct = tuple(sorted(heights, reverse=True))
    params = ProofParams(blowup, 1, 0, 0, final, arity)
    rounds = fold_schedule(distinct, params)
    sizes = [distinct[0] + blowup]
    for fold in rounds:
        assert fold.log_size == sizes[-1]
        assert 1 <= fold.log_arity <= arity
        sizes.append(sizes[-1] - fold.log_arity)
    assert sizes[-1] == final + blowup
    assert set(distinct) <= {size - blowup for size in sizes}
    assert [fold.log_size - fold.log_arity - blowup for fold in rounds if fold.joins] == list(distinct[1:])


def test_heights_below_the_final_polynomial_and_beyond_the_field_are_refused():
    with pytest.raises(ShapeError):
        fold_schedule((10, 4), PRESETS["standard"])
    with pytest.raises(ShapeError):
        fold_schedule((23,), PRESETS["standard"])


def test_shapes_with_so_many_lookups_that_counts_wrap_are_refused():
    system = AirSystem((make_air(sends=127),))
    Shape.of(system, {"one": 23})
    with pytest.raises(ShapeError, match="wrap"):
        Shape.of(AirSystem((make_air(sends=255),)), {"one": 23})


def test_shapes_must_name_the_systems_tables():
    with pytest.raises(ShapeError):
        Shape.of(small_system.SYSTEM, {"chain": 8})
    with pytest.raises(ShapeError):
        Shape.of(small_system.SYSTEM, {**small_system.SYSTEM_LOGS, "sink": 24})
    with pytest.raises(ShapeError, match="period"):
        Shape.of(small_system.SYSTEM, {**small_system.SYSTEM_LOGS, "chain": 1})
    with pytest.raises(ShapeError):
        Layout(small_system.SYSTEM, Shape(tuple(reversed(tuple(small_system.SYSTEM_LOGS.items())))), TINY)


def test_columns_are_numbered_without_gap_and_parts_add_up():
    layout = small_key().verifying_key.layout
    starts = sorted((c.start, c.width) for tree in layout.trees for c in tree.classes)
    at = 0
    for start, width in starts:
        assert start == at
        at += width
    assert at == layout.num_columns
    spans = layout.spans()
    assert [s.start for s in spans[1:]] == [s.start + s.length for s in spans[:-1]]
    assert spans[-1].start + spans[-1].length == layout.body_words
    assert sum(proof_parts(layout).values()) == proof_length(layout)


def test_digest_binds_what_a_system_states():
    base = AirSystem((make_air(),))
    others = [
        AirSystem((make_air(constant=2),)),
        AirSystem((make_air(sends=2),)),
        AirSystem((make_air(name="two"),)),
        AirSystem((make_air(relation=Relation("bus", 2, 1)),)),
        AirSystem((make_air(),), 1),
        AirSystem((make_air(),), 1, (PublicTuple(BUS, (("public", 0),), 1),)),
        AirSystem((make_air(),), 1, (PublicTuple(BUS, (("public", 0),), -1),)),
        AirSystem((make_air(),), 1, (PublicTuple(BUS, (("constant", 0),), -1),)),
        AirSystem((make_air(), make_air(name="two"))),
    ]
    digests = [system_digest(system) for system in [base, *others]]
    assert len(set(digests)) == len(digests)
    assert system_digest(AirSystem((make_air(),))) == digests[0]


@pytest.mark.parametrize(
    "system",
    [
        AirSystem((make_air(), make_air())),
        AirSystem((make_air(), make_air("two", relation=Relation("other", 1, 1)))),
        AirSystem((make_air(relation=Relation("bus", P, 1)),)),
        AirSystem((make_air(),), 0, (PublicTuple(BUS, (("public", 0),), 1),)),
        AirSystem((make_air(),), 1, (PublicTuple(BUS, (), 1),)),
        AirSystem((make_air(),), 1, (PublicTuple(BUS, (("constant", P),), 1),)),
    ],
)
def test_inconsistent_systems_are_refused(system):
    with pytest.raises(AirError):
        system_digest(system)


def test_key_encoding_is_exact_and_bound_to_its_system():
    key = small_key().verifying_key
    data = key.encode()
    again = VerifyingKey.decode(data, small_system.SYSTEM)
    assert again == key and again.encode() == data
    for bad in (data[:-1], data + b"\0", b"XXXX" + data[4:], data[:8] + b"\xff" + data[9:]):
        with pytest.raises(KeyFormatError):
            VerifyingKey.decode(bad, small_system.SYSTEM)
    with pytest.raises(KeyFormatError):
        VerifyingKey.decode(data, AirSystem((make_air(),)))
