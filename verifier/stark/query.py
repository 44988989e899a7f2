"""Step 9 for one query: the opened rows, their DEEP quotients, and FRI from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prover.domains import coset_shift
from prover.field import DEGREE, TWO_ADIC_ROOTS, P, inverse
from prover.hashing import DIGEST_WORDS, Context
from prover.layout import FriLayer, Layout, Tree, TreeName
from verifier.stark.ops import Ops
from verifier.stark.reasons import RejectReason

V = TypeVar("V")


@dataclass(frozen=True)
class QueryContext(Generic[V]):
    """What every query shares.

    Attributes:
        layout: the proof's.
        roots: by tree.
        fri_roots, betas: by layer.
        join_betas: beta^arity by layer.
        final: the final polynomial's coefficients.
        zeta: the out-of-domain point.
        zeta_next: log height -> zeta * w.
        batched: log height -> R(zeta), R(zeta w).
        gammas: powers of gamma from the first on.
        starts: first column of a class -> its power of gamma.
        gamma_last: gamma^B.
        log_ratios: log height -> log2(n_max / n).
    """

    layout: Layout
    roots: dict[TreeName, V]
    fri_roots: Sequence[V]
    betas: Sequence[V]
    join_betas: Sequence[V]
    final: V
    zeta: V
    zeta_next: dict[int, V]
    batched: dict[int, tuple[V, V]]
    gammas: V
    starts: dict[int, V]
    gamma_last: V
    log_ratios: dict[int, int]


def verify_query(ops: Ops[V], context: QueryContext[V], index: V) -> None:
    """Checks one query; `index` is a word whose low bits are the position in the tallest domain."""
    layout = context.layout
    bits = ops.bits(index, layout.log_max_points)
    shift = coset_shift(layout, layout.log_max_height)
    root = TWO_ADIC_ROOTS[layout.log_max_points]
    with ops.scope("point"):
        points = _squares(ops, _point(ops, bits, layout.log_max_points, shift, root), layout.log_max_points)
        inverses = _squares(
            ops,
            _point(ops, bits, layout.log_max_points, inverse(shift), inverse(root)),
            layout.log_max_points,
        )
    dots: dict[int, V] = {}
    for tree in layout.trees:
        _open_rows(ops, context, tree, bits, dots)
    with ops.scope("quotients"):
        rows = _sum_rows(ops, context, dots)
        quotients = {log: _deep_quotient(ops, context, log, rows[log], points) for log in layout.distinct}
    _verify_fri(ops, context, bits, quotients, points, inverses)


def _point(ops: Ops[V], bits: V, count: int, shift: int, root: int) -> V:
    """Shift * root^index."""
    result, one = ops.constant([shift]), ops.constant([1])
    for i in range(count):
        factor = ops.constant([pow(root, 1 << i, P)])
        result = ops.mul(result, ops.select(ops.part(bits, i, 1), one, factor))
    return result


def _squares(ops: Ops[V], x: V, count: int) -> list[V]:
    """x^(2^i), i = 0..count."""
    out = [x]
    for _ in range(count):
        out.append(ops.mul(out[-1], out[-1]))
    return out


def _climb(ops: Ops[V], node: V, sibling: V, side: V) -> V:
    """The parent; `side` is 1 where `node` is the right child."""
    both = [ops.select(side, node, sibling), ops.select(side, sibling, node)]
    return ops.hash(Context.NODE, ops.join(both))


def _open_rows(ops: Ops[V], context: QueryContext[V], tree: Tree, bits: V, dots: dict[int, V]) -> None:
    """Reads a tree's rows and path, checks its root; `dots`: each class's row times 1, gamma, gamma^2, .."""
    log_blowup = context.layout.params.log_blowup
    leaves: dict[int, V] = {}
    for c in tree.classes:
        name = f"{tree.name} row 2^{c.log_height}"
        with ops.scope(name):
            row = ops.read_elements(c.width, name)
            leaves[c.log_height + log_blowup] = ops.hash(Context.LEAF, row)
            dots[c.start] = ops.dot(ops.part(context.gammas, 0, DEGREE * c.width), row)
    with ops.scope(f"{tree.name} path"):
        _check_path(ops, context, tree, bits, leaves)


def _sum_rows(ops: Ops[V], context: QueryContext[V], dots: dict[int, V]) -> dict[int, V]:
    """By height: the sum of its classes' dots, each times its first power of gamma."""
    rows: dict[int, V] = {}
    for tree in context.layout.trees:
        for c in tree.classes:
            dot = ops.ext_mul(context.starts[c.start], dots[c.start]) if c.start else dots[c.start]
            rows[c.log_height] = ops.ext_add(rows[c.log_height], dot) if c.log_height in rows else dot
    return rows


def _check_path(ops: Ops[V], context: QueryContext[V], tree: Tree, bits: V, leaves: dict[int, V]) -> None:
    """Climbs from the tallest class's leaf, the shorter ones injected on the way."""
    path = ops.read_words(DIGEST_WORDS * tree.log_leaves)
    node = leaves[tree.log_leaves]
    for step, log in enumerate(range(tree.log_leaves - 1, -1, -1)):
        sibling = ops.part(path, DIGEST_WORDS * step, DIGEST_WORDS)
        node = _climb(ops, node, sibling, ops.part(bits, log, 1))
        if log in leaves:
            node = ops.hash(Context.INJECT, ops.join([node, leaves[log]]))
    ops.assert_equal(node, context.roots[tree.name], RejectReason.ROW_PATH, f"{tree.name} tree")


def _deep_quotient(ops: Ops[V], context: QueryContext[V], log: int, row: V, points: Sequence[V]) -> V:
    """(R(zeta) - R(x)) / (zeta - x) + gamma^B (R(zeta w) - R(x)) / (zeta w - x)."""
    x = ops.embed(points[context.log_ratios[log]])
    terms = []
    for point, value in zip((context.zeta, context.zeta_next[log]), context.batched[log], strict=True):
        denominator = ops.ext_inverse(ops.ext_sub(point, x), f"DEEP 2^{log}")
        terms.append(ops.ext_mul(ops.ext_sub(value, row), denominator))
    return ops.ext_add(terms[0], ops.ext_mul(context.gamma_last, terms[1]))


def _verify_fri(
    ops: Ops[V],
    context: QueryContext[V],
    bits: V,
    quotients: dict[int, V],
    points: Sequence[V],
    inverses: Sequence[V],
) -> None:
    layout = context.layout
    value, done = quotients[layout.log_max_height], 0
    for i, layer in enumerate(layout.fri_layers):
        with ops.scope(f"FRI layer {i}"):
            arity = layer.fold.log_arity
            group = ops.read_elements(layer.group_words, f"FRI layer {i} group")
            node = ops.hash(Context.LEAF, group)
            path = ops.read_words(DIGEST_WORDS * layer.log_leaves)
            for step, log in enumerate(range(layer.log_leaves - 1, -1, -1)):
                sibling = ops.part(path, DIGEST_WORDS * step, DIGEST_WORDS)
                node = _climb(ops, node, sibling, ops.part(bits, log, 1))
            ops.assert_equal(node, context.fri_roots[i], RejectReason.FRI_PATH, f"FRI layer {i}")
            sides = [ops.part(bits, layer.log_leaves + b, 1) for b in range(arity)]
            reason = RejectReason.FRI_FOLD if i else RejectReason.DEEP
            ops.assert_equal(_member(ops, group, sides), value, reason, f"FRI layer {i}")
            value = _fold(ops, layer, group, sides, context.betas[i], inverses[done])
            done += arity
            log_height = layer.log_leaves - layout.params.log_blowup
            if layer.fold.joins:
                value = ops.ext_add(value, ops.ext_mul(context.join_betas[i], quotients[log_height]))
    with ops.scope("final polynomial"):
        coefficients = [ops.part(context.final, DEGREE * i, DEGREE) for i in range(layout.final_degree)]
        final = coefficients.pop()
        while coefficients:  # Horner's rule: no power of x is handed on
            final = ops.ext_add(ops.ext_scale(final, points[done]), coefficients.pop())
        ops.assert_equal(value, final, RejectReason.FINAL_POLYNOMIAL, "last layer")


def _member(ops: Ops[V], group: V, sides: Sequence[V]) -> V:
    """The group's member whose number has these bits, lowest first."""
    size = 1 << len(sides)
    members = [ops.part(group, DEGREE * t, DEGREE) for t in range(size)]
    for side in sides:
        members = [ops.select(side, members[2 * t], members[2 * t + 1]) for t in range(len(members) // 2)]
    return members[0]


def _fold(ops: Ops[V], layer: FriLayer, group: V, sides: Sequence[V], beta: V, x_inverse: V) -> V:
    """sum_i beta^i f_i(y) from the group's values, by halvings with beta, beta^2, beta^4.

    Each halving of (v, v') at (x, -x) gives (v + v') + (beta / x) (v - v'), twice the fold; the twos go at
    the end. `x_inverse` is that of the queried member; the group's first member is x_j = x / g^t.
    """
    arity = layer.fold.log_arity
    one = ops.constant([1])
    first = x_inverse
    for b, side in enumerate(sides):
        turn = ops.constant([TWO_ADIC_ROOTS[arity - b]])
        first = ops.mul(first, ops.select(side, one, turn))
    scale = ops.ext_scale(beta, first)  # beta / x_j
    values = [ops.part(group, DEGREE * t, DEGREE) for t in range(1 << arity)]
    for level in range(arity, 0, -1):
        half = len(values) // 2
        turn_inverse = inverse(TWO_ADIC_ROOTS[level])
        folded = []
        for t in range(half):
            difference = ops.ext_sub(values[t], values[t + half])
            if t:
                twist = ops.constant([pow(turn_inverse, t, P)])
                difference = ops.ext_scale(difference, twist)
            both = ops.ext_add(values[t], values[t + half])
            folded.append(ops.ext_add(both, ops.ext_mul(scale, difference)))
        values = folded
        if level > 1:
            scale = ops.ext_mul(scale, scale)
    return ops.ext_scale(values[0], ops.constant([inverse(1 << arity)]))
