"""Every kind of leaf of a proof, first, middle and last, altered: the exact reason, from both verifiers."""

from __future__ import annotations

import re

import pytest

from prover.air.expression import Op, Space
from prover.air.graph import air_graph
from prover.field import P
from prover.layout import LeafKind, TreeName
from tests import small_system
from tests.proofs import NO_WORK, TINY, decoded, public_values, rejection, small_key, verdicts
from verifier.stark.reasons import RejectReason

LAYOUT = small_key(TINY).verifying_key.layout


def _read_at_next(layout):
    """Columns whose opening at zeta * w some constraint reads."""
    out = set()
    for i, air in enumerate(layout.system.airs):
        table = air_graph(air)
        main = layout.column_start(TreeName.MAIN, i)
        nodes = table.graph.reachable(table.roots())
        for node in nodes:
            if table.graph.op[node] is Op.VARIABLE:
                space, index, offset = table.graph.variables[table.graph.left[node]]
                if space is Space.MAIN and offset:
                    out.add(main + index)
        if table.groups:
            start = layout.column_start(TreeName.INTERACTION, i) + 6 * (len(table.groups) - 1)
            out |= set(range(start, start + 6))
    return out


def _expected(path, layout, work):
    """The reason that an altered leaf must meet; `work`: the proof carries grinding."""
    name, index = re.fullmatch(r"(?:query \d+: )?(.*)\[(\d+)\]", path).groups()
    later = RejectReason.QUERY_GRINDING if work else RejectReason.ROW_PATH
    unread = RejectReason.BATCHING_GRINDING if work else RejectReason.ROW_PATH
    if name == "main root" or name == "cumulative sums":
        return RejectReason.LOOKUP_SUM
    if name in ("interaction root", "quotient root", "openings at zeta"):
        return RejectReason.CONSTRAINTS
    if name == "openings at zeta w":
        return RejectReason.CONSTRAINTS if int(index) in _read_at_next(layout) else unread
    if name == "batching nonce":
        return unread
    if name.startswith("FRI root") or name in ("final polynomial", "query nonce"):
        return later
    return RejectReason.FRI_PATH if name.startswith("FRI layer") else RejectReason.ROW_PATH


def _alter(kind, values, position, change=0):
    out = list(values)
    out[position] = (
        (out[position] + 1 + change) % P if kind is LeafKind.ELEMENT else out[position] ^ 1 << 7 + change
    )
    return out


def _rejection_of_altered(key, params, leaf, position):
    """The reason, and the expected one. One alteration in 2^6 happens to carry the work asked for, and few in a
    hundred draw an old query's index again, and are found by a later check; then another must meet the expected reason.
    """
    expected = _expected(leaf.path, key.layout, params is TINY)
    drawn_again = expected is RejectReason.ROW_PATH and not leaf.path.startswith("query")
    lucky = drawn_again or expected in (RejectReason.BATCHING_GRINDING, RejectReason.QUERY_GRINDING)
    for change in range(4 if lucky else 1):
        proof = decoded(params)
        values = proof.get(leaf)
        proof.set(leaf, _alter(leaf.kind, values, position, change))
        assert proof.get(leaf) != values
        reason = rejection(key, proof.encode(), public_values())
        if reason is expected:
            break
    return reason, expected


def _sampled_leaves(params):
    """First, middle and last leaf of every span."""
    proof = decoded(params)
    by_span = {}
    for leaf in proof.leaves():
        by_span.setdefault(leaf.path.rsplit("[", 1)[0], []).append(leaf)
    for leaves in by_span.values():
        yield from {leaves[k].start: leaves[k] for k in (0, len(leaves) // 2, -1)}.values()


@pytest.mark.parametrize("params", [TINY, NO_WORK], ids=["work", "no work"])
def test_every_kind_of_leaf(params):
    key = small_key(params).verifying_key
    kinds = set()
    for leaf in _sampled_leaves(params):
        for position in {0, leaf.length // 2, leaf.length - 1}:
            reason, expected = _rejection_of_altered(key, params, leaf, position)
            assert reason is expected, leaf.path
            kinds.add((leaf.path.split("[")[0].split(": ")[-1], reason))
    assert len(kinds) > 30


@pytest.mark.slow
@pytest.mark.parametrize("params", [TINY, NO_WORK], ids=["work", "no work"])
def test_every_leaf(params):
    key = small_key(params).verifying_key
    for leaf in list(decoded(params).leaves()):
        reason, expected = _rejection_of_altered(key, params, leaf, leaf.start % leaf.length)
        assert reason is expected, leaf.path


def test_rejections_say_where():
    key = small_key(TINY).verifying_key
    proof = decoded(TINY)
    leaf = next(leaf for leaf in proof.leaves() if leaf.path.startswith("query 2: quotient row"))
    proof.set(leaf, [proof.get(leaf)[0] ^ 1])
    (reason, where, expected, got), quick = verdicts(key, proof.encode(), public_values())
    assert (reason, where) == (RejectReason.ROW_PATH, "query 2: quotient tree")
    assert len(expected) == len(got) == 8 and quick == (reason, where, expected, got)


@pytest.mark.parametrize("value", [P, P + 1, 2**32 - 1])
def test_non_canonical_elements_anywhere(value):
    key = small_key(TINY).verifying_key
    for leaf in _sampled_leaves(TINY):
        if leaf.kind is LeafKind.ELEMENT:
            proof = decoded(TINY)
            proof.set(leaf, [*proof.get(leaf)[:-1], value])
            plain, quick = verdicts(key, proof.encode(), public_values())
            assert plain == quick == (RejectReason.NON_CANONICAL, leaf.path, f"below {P}", value)


def test_an_element_plus_p_is_not_another_encoding():
    key = small_key(TINY).verifying_key
    proof = decoded(TINY)
    for leaf in proof.leaves():
        if leaf.kind is LeafKind.ELEMENT and proof.get(leaf)[0] + P < 2**32:
            proof.set(leaf, [proof.get(leaf)[0] + P, *proof.get(leaf)[1:]])
            assert rejection(key, proof.encode(), public_values()) is RejectReason.NON_CANONICAL
            return


def test_swapped_leaves_are_rejected():
    key = small_key(TINY).verifying_key
    layout = key.layout
    base, words = layout.head_words, layout.query_words
    proof = decoded(TINY)
    first, second = proof.words[base : base + words], proof.words[base + words : base + 2 * words]
    proof.words[base : base + words], proof.words[base + words : base + 2 * words] = second, first
    assert rejection(key, proof.encode(), public_values()) is RejectReason.ROW_PATH
    proof = decoded(TINY)
    roots = [leaf for leaf in proof.leaves() if "root" in leaf.path][:2]
    values = [proof.get(leaf) for leaf in roots]
    for leaf, value in zip(roots, reversed(values), strict=True):
        proof.set(leaf, value)
    assert rejection(key, proof.encode(), public_values()) is RejectReason.LOOKUP_SUM


@pytest.mark.parametrize("index", range(small_system.SYSTEM.num_public_values))
def test_wrong_public_values(index):
    key = small_key(TINY).verifying_key
    wrong = public_values()
    wrong[index] += 1
    assert rejection(key, decoded(TINY).encode(), wrong) is RejectReason.PUBLIC_VALUES
    proof = decoded(TINY)
    proof.public_values = tuple(wrong)
    assert rejection(key, proof.encode(), public_values()) is RejectReason.PUBLIC_VALUES
    assert rejection(key, proof.encode(), wrong) is RejectReason.LOOKUP_SUM
    for bad in ([], [*wrong, 0], [-1, 0], [P, 9]):
        assert rejection(key, decoded(TINY).encode(), bad) is RejectReason.PUBLIC_VALUES
    proof.public_values = (P, 9)
    assert rejection(key, proof.encode(), wrong) is RejectReason.NON_CANONICAL
