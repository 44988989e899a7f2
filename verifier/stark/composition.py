"""A table's composition at the out-of-domain point, in pieces that share next to nothing.

The sum of alpha^k C_k is `prover.air.composition.compose`'s, turned round for whoever opens the verifier piece by piece
(bridge.md): what a piece needs it makes again from openings and from alpha, beta and alpha_lu, so that neither powers
nor the states of a permutation pass between pieces.

Constraints come in *windows* of consecutive k, each a scope: sum over k of alpha^(k - start) C_k, by Horner's rule.
A product that several constraints of a window read, such as a cube of Poseidon2 that the linear layer spreads over a
round, is taken out of them: it enters once, times the polynomial in alpha whose coefficients are its factors in them.
A lookup is a window of its own, and folds its tuples a few values to a scope. What reads many leaves of openings is a
*piece*, a scope of its own, for which openings are added up two leaves to a scope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Generic, TypeVar

from prover.air.affine import Affine, AffineForms
from prover.air.air import Air, Rows
from prover.air.composition import Algebra
from prover.air.expression import Op, Space
from prover.air.graph import AirGraph, InteractionNodes, air_graph
from prover.air.logup import LookupAlgebra, fraction
from prover.field import P
from verifier.stark.ops import Ops

V = TypeVar("V")
T = TypeVar("T")

MIN_WINDOW, MAX_WINDOW = 8, 32
MAX_CHILDREN = 32
"""Windows that a scope joins; more are joined in sections, at the price of a level. So much fits a Reveal."""
LIGHT = 3
"""Leaves of openings that a piece may read inside its window; what reads more is a scope of its own."""
MAX_PRODUCTS = 24
"""Of two neighbours that share a piece."""
MAX_VALUES, MAX_HEAVY_VALUES = 8, 2
"""Values of a tuple that are folded in one scope: those that read few leaves in all, and those that read many each."""


@dataclass(frozen=True)
class Window:
    """Consecutive constraints.

    Attributes:
        start, end: their numbers in the table; lookups come after the stated ones, each alone.
        shared: products of several of them -> (number, factor) in each.
    """

    start: int
    end: int
    shared: Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Plan:
    """How a table is composed.

    Attributes:
        table: its graph.
        forms: of its nodes.
        own: of each stated constraint, what is not in its window's `shared`.
        windows: in order.
    """

    table: AirGraph
    forms: AffineForms
    own: Sequence[Affine]
    windows: Sequence[Window]


@lru_cache(maxsize=256)
def plan(air: Air) -> Plan:
    """The table's windows: they end where no product is shared across, at `MAX_WINDOW` at the latest."""
    table = air_graph(air)
    graph, forms = table.graph, AffineForms(table.graph)
    stated = [forms(node) for _, node in table.constraints]
    products = [
        {n for n in form.terms if graph.op[n] is Op.MUL} if constraint.rows is Rows.ALL else set()
        for (constraint, _), form in zip(table.constraints, stated, strict=True)
    ]
    windows, start = [], 0
    while start < len(stated):
        ends = range(start + MIN_WINDOW, start + MAX_WINDOW + 1)
        end = min(next(e for e in ends if _is_end(products, start, e)), len(stated))
        readers = Counter(n for k in range(start, end) for n in products[k])
        shared = {
            node: [(k, stated[k].terms[node]) for k in range(start, end) if node in products[k]]
            for node, times in sorted(readers.items())
            if times > 1
        }
        windows.append(Window(start, end, shared))
        start = end
    windows += [Window(start + g, start + g + 1, {}) for g in range(len(table.groups))]
    taken = {(k, node) for window in windows for node, places in window.shared.items() for k, _ in places}
    own = [
        Affine(form.constant, {n: f for n, f in form.terms.items() if (k, n) not in taken})
        for k, form in enumerate(stated)
    ]
    return Plan(table, forms, own, windows)


def _is_end(products: Sequence[set[int]], start: int, end: int) -> bool:
    """Whether a window from `start` may end there."""
    before = set().union(*products[start:end])
    after = set().union(*products[end : end + MAX_WINDOW])
    return end - start == MAX_WINDOW or not before & after


@dataclass(frozen=True)
class Place(Generic[V]):
    """A table at the point: what its composition asks for.

    Attributes:
        variable: (space, index, offset) -> value.
        column: (interaction column, offset) -> value.
        selector: kind of rows -> value of its selector; not asked for ALL.
        share: S/n.
        leaf: (space, index, offset) -> the leaf of openings that holds it, None for what is not opened.
    """

    variable: Callable[[Space, int, int], V]
    column: Callable[[int, int], V]
    selector: Callable[[Rows], V]
    share: Callable[[], V]
    leaf: Callable[[Space, int, int], tuple[int, int] | None]


class HornerFingerprints(Generic[V]):
    """`prover.air.logup.Fingerprints` of beta_lu alone, without its powers.

    Args:
        alpha: alpha_lu.
        beta: beta_lu.
    """

    def __init__(self, alpha: V, beta: V) -> None:
        self.alpha, self.beta = alpha, beta

    def fold(self, algebra: LookupAlgebra[V, V], values: Sequence[V], total: V | None = None) -> V:
        """Sum of beta_lu^j v_j, and beta_lu^n times `total`, which is of what follows in the tuple."""
        result = (
            values[-1] if total is None else algebra.ext_add(algebra.ext_mul(total, self.beta), values[-1])
        )
        for value in reversed(values[:-1]):
            result = algebra.ext_add(algebra.ext_mul(result, self.beta), value)
        return result

    def fingerprint(self, algebra: LookupAlgebra[V, V], relation: int, total: V) -> V:
        """alpha_lu + relation + beta_lu times what a tuple folds to."""
        return algebra.ext_add(algebra.ext_mul(total, self.beta), algebra.ext_offset(self.alpha, relation))


class Composer(Generic[V]):
    """Composes one table.

    Args:
        ops: where it is written.
        algebra: the arithmetic at the point.
        air: the table.
        place: its values.
        challenges: of lookups.
        alpha: of the composition.
    """

    def __init__(
        self,
        ops: Ops[V],
        algebra: Algebra[V, V],
        air: Air,
        place: Place[V],
        challenges: HornerFingerprints[V],
        alpha: V,
    ) -> None:
        self._ops, self._algebra, self._place = ops, algebra, place
        self._challenges = challenges
        self._plan = plan(air)
        self._alphas = {1: alpha}
        self._values: dict[int, V] = {}
        self._partials: dict[Affine, list[V]] = {}

    def compose(self, start: int) -> V:
        """Alpha^start times the sum of alpha^k C_k, selectors applied."""
        windows = self._plan.windows
        count = -(-len(windows) // MAX_CHILDREN)
        if count <= 1:
            total = self._join(windows)
        else:
            each = -(-len(windows) // count)
            sections = [windows[i : i + each] for i in range(0, len(windows), each)]
            total = self._algebra.constant(0)
            for section in reversed(sections):
                with self._ops.scope(f"{section[0].start} to {section[-1].end - 1}"):
                    value = self._join(section)
                if section is sections[-1]:
                    total = value
                else:
                    length = section[-1].end - section[0].start
                    total = self._algebra.ext_add(self._algebra.ext_mul(total, self._power(length)), value)
        return self._algebra.ext_mul(total, self._power(start)) if start else total

    def _join(self, windows: Sequence[Window]) -> V:
        total: V | None = None
        for window in reversed(windows):
            lookup = window.start - len(self._plan.table.constraints)
            name = f"constraints {window.start} to {window.end - 1}" if lookup < 0 else f"lookup {lookup}"
            with self._ops.scope(name):
                value = self._window(window) if lookup < 0 else self._lookup(lookup)
            if total is not None:
                total = self._algebra.ext_mul(total, self._power(window.end - window.start))
            total = self._plus(total, value)
        return self._algebra.constant(0) if total is None else total

    def _power(self, exponent: int) -> V:
        """Alpha^exponent, by squares that the table keeps."""
        if exponent not in self._alphas:
            half = exponent // 2
            self._alphas[exponent] = self._algebra.ext_mul(self._power(exponent - half), self._power(half))
        return self._alphas[exponent]

    def _plus(self, a: V | None, b: V | None) -> V | None:
        if a is None or b is None:
            return b if a is None else a
        return self._algebra.ext_add(a, b)

    # A window

    def _window(self, window: Window) -> V:
        """Sum of alpha^(k - start) C_k."""
        algebra = self._algebra
        total: V | None = None
        for item in reversed(self._pairs(range(window.start, window.end), self._constraint_forms)):
            value = self._piece(
                self._plan.table.constraints[item[0]][0].label,
                [form for k in item for form in self._constraint_forms(k)],
                partial(self._constraints, item),
            )
            if total is not None:
                total = algebra.ext_mul(total, self._power(len(item)))
            total = self._plus(total, value)
        for products in self._pairs(list(window.shared), self._product_forms):
            value = self._piece(
                f"product {products[0]}",
                [form for product in products for form in self._product_forms(product)],
                partial(self._products, window, products),
            )
            total = self._plus(total, value)
        return algebra.constant(0) if total is None else total

    def _alike(self, forms: Sequence[Sequence[Affine]], light: int, heavy: int) -> list[list[int]]:
        """Places of neighbours that read about the same.

        Args:
            forms: what each asks for.
            light: how many go together of those that read no more than `LIGHT` leaves in all.
            heavy: how many of those that each read more.
        """
        runs: list[list[int]] = []
        read: set[tuple[int, int]] = set()
        for place, leaves in enumerate(map(self._leaves, forms)):
            few = len(leaves | read) <= LIGHT and len(runs[-1]) < light if runs else False
            many = min(len(leaves), len(read)) > LIGHT and len(runs[-1]) < heavy
            many = many and self._num_products([*forms[runs[-1][-1]], *forms[place]]) <= MAX_PRODUCTS
            if few or many:
                runs[-1].append(place)
                read |= leaves
            else:
                runs.append([place])
                read = set(leaves)
        return runs

    def _pairs(self, numbers: Sequence[int], forms: Callable[[int], Sequence[Affine]]) -> list[Sequence[int]]:
        """One by one, but two neighbours together where both are heavy."""
        return [[numbers[i] for i in run] for run in self._alike(list(map(forms, numbers)), 1, 2)]

    def _num_products(self, forms: Sequence[Affine]) -> int:
        return sum(self._plan.table.graph.op[node] is Op.MUL for form in forms for node in form.terms)

    def _constraint_forms(self, k: int) -> Sequence[Affine]:
        return [self._plan.own[k]]

    def _product_forms(self, product: int) -> Sequence[Affine]:
        return [Affine(0, {product: 1})]

    def _constraints(self, numbers: Sequence[int]) -> V | None:
        """Sum of alpha^(k - first) C_k."""
        total: V | None = None
        for k in reversed(numbers):
            if total is not None:
                total = self._algebra.ext_mul(total, self._alphas[1])
            total = self._plus(total, self._constraint(k))
        return total

    def _constraint(self, k: int) -> V | None:
        """C_k, less what its window shares, times its selector."""
        own, (constraint, _) = self._plan.own[k], self._plan.table.constraints[k]
        if not own.terms and not own.constant:
            return None
        value = self._affine(own)
        if constraint.rows is Rows.ALL:
            return value
        return self._algebra.ext_mul(value, self._place.selector(constraint.rows))

    def _products(self, window: Window, products: Sequence[int]) -> V | None:
        """Each product times the sum of factor alpha^(k - start)."""
        total: V | None = None
        for product in products:
            weight = self._polynomial({k - window.start: factor for k, factor in window.shared[product]})
            total = self._plus(total, self._algebra.ext_mul(weight, self._value(product)))
        return total

    def _polynomial(self, factors: Mapping[int, int]) -> V:
        """Sum of factor alpha^exponent."""
        algebra = self._algebra
        top = max(factors)
        total = algebra.constant(factors[top])
        for exponent in reversed(range(top)):
            total = algebra.ext_mul(total, self._alphas[1])
            if exponent in factors:
                total = algebra.ext_offset(total, factors[exponent])
        return total

    def _lookup(self, number: int) -> V:
        """A group's constraint, as `prover.air.logup.group_constraints` states it."""
        table, algebra, place = self._plan.table, self._algebra, self._place
        last = number == len(table.groups) - 1
        end = place.column(number, int(last))
        if last:
            end = algebra.ext_add(algebra.ext_sub(end, place.column(number, 0)), place.share())
        phi = algebra.ext_sub(end, place.column(number - 1, 0)) if number else end
        values = _Values(self._tuple_value)
        numerator, denominator = fraction(algebra, table, table.groups[number], values, self)
        return algebra.ext_sub(algebra.ext_mul(phi, denominator), numerator)

    def fingerprint(
        self, algebra: LookupAlgebra[V, V], table: AirGraph, item: InteractionNodes, values: Mapping[int, V]
    ) -> V:
        """D of one interaction, a few neighbours of its tuple to a scope."""
        zero = [table.graph.op[n] is Op.CONST and table.graph.left[n] == 0 for n in item.values]
        count = max((i + 1 for i, is_zero in enumerate(zero) if not is_zero), default=1)
        forms = [self._plan.forms(node) for node in item.values[:count]]
        runs = self._alike([[form] for form in forms], MAX_VALUES, MAX_HEAVY_VALUES)
        total: V | None = None
        for run in reversed(runs):
            some = [forms[i] for i in run]
            name = f"{item.interaction.label} {run[0]} to {run[-1]}"
            total = self._piece(name, some, partial(self._fold, some, total), alone=len(runs) > 1)
        assert total is not None  # noqa: S101 - a tuple has values
        return self._challenges.fingerprint(algebra, item.interaction.relation.id, total)

    def _fold(self, forms: Sequence[Affine], total: V | None) -> V:
        return self._challenges.fold(self._algebra, [self._affine(form) for form in forms], total)

    def _tuple_value(self, node: int) -> V:
        form = self._plan.forms(node)
        return self._piece(f"value {node}", [form], partial(self._affine, form))

    # A piece

    def _piece(self, name: str, forms: Sequence[Affine], make: Callable[[], T], alone: bool = False) -> T:
        """What `make` gives: in a scope of its own if `alone`, and prepared, if the forms read many leaves."""
        outer = self._values, self._partials
        self._values, self._partials = {}, {}
        try:
            heavy = len(self._leaves(forms)) > LIGHT
            with self._ops.scope(name) if heavy or alone else nullcontext():
                if heavy:
                    self._prepare(forms)
                return make()
        finally:
            self._values, self._partials = outer

    def _prepare(self, forms: Sequence[Affine]) -> None:
        """The linear parts of the forms, two leaves at a time, in scopes that open no more."""
        parts = [form for form in self._all_forms(forms) if self._own_leaves(form)]
        runs = sorted({_run(leaf) for form in parts for leaf in self._own_leaves(form)})
        for number, run in enumerate(runs):
            with self._ops.scope(f"openings {number}"):
                for form in parts:
                    terms = [
                        (n, f) for n, f in form.terms.items() if (leaf := self._leaf(n)) and _run(leaf) == run
                    ]
                    value = self._columns(terms)
                    if value is not None:
                        self._partials.setdefault(form, []).append(value)

    def _all_forms(self, forms: Sequence[Affine]) -> list[Affine]:
        """The forms, and those of the factors of their products, once each."""
        graph, found = self._plan.table.graph, dict[Affine, None]()
        todo = list(reversed(forms))
        while todo:
            form = todo.pop()
            if form in found:
                continue
            found[form] = None
            for node in form.terms:
                if graph.op[node] is Op.MUL:
                    todo += [self._plan.forms(n) for n in (graph.left[node], graph.right[node])]
        return list(found)

    def _leaf(self, node: int) -> tuple[int, int] | None:
        """The leaf of openings that holds a column; None for all else."""
        graph = self._plan.table.graph
        if graph.op[node] is not Op.VARIABLE:
            return None
        return self._place.leaf(*graph.variables[graph.left[node]])

    def _own_leaves(self, form: Affine) -> set[tuple[int, int]]:
        return {leaf for node in form.terms if (leaf := self._leaf(node)) is not None}

    def _leaves(self, forms: Sequence[Affine]) -> set[tuple[int, int]]:
        return {leaf for form in self._all_forms(forms) for leaf in self._own_leaves(form)}

    def _value(self, node: int) -> V:
        """A column's or a product's, once in a piece."""
        if node not in self._values:
            graph = self._plan.table.graph
            if graph.op[node] is Op.VARIABLE:
                value = self._place.variable(*graph.variables[graph.left[node]])
                self._values[node] = (
                    self._algebra.ext_offset(value, 0) if self._leaf(node) is not None else value
                )
            else:
                left, right = (self._operand(n) for n in (graph.left[node], graph.right[node]))
                self._values[node] = self._algebra.mul(left, right)
        return self._values[node]

    def _operand(self, node: int) -> V:
        """Any node's value, once in a piece."""
        if node not in self._values:
            self._values[node] = self._affine(self._plan.forms(node))
        return self._values[node]

    def _affine(self, form: Affine) -> V:
        """The form's value."""
        prepared = self._partials.get(form)
        total: V | None = self._algebra.constant(form.constant) if form.constant or not form.terms else None
        for value in prepared or ():
            total = self._plus(total, value)
        for node, factor in sorted(form.terms.items()):
            if prepared is not None and self._leaf(node) is not None:
                continue
            value = self._value(node)
            if factor == P - 1 and total is not None:
                total = self._algebra.sub(total, value)
            else:
                total = self._plus(total, value if factor == 1 else self._algebra.scale(value, factor))
        assert total is not None  # noqa: S101 - a form is a constant or has terms
        return total

    def _columns(self, terms: Sequence[tuple[int, int]]) -> V | None:
        """The sum of columns, each times its factor, as they are opened: a leaf's in one step."""
        graph, by_leaf = self._plan.table.graph, dict[tuple[int, int] | None, list[tuple[int, int]]]()
        for node, factor in terms:
            by_leaf.setdefault(self._leaf(node), []).append((node, factor))
        total: V | None = None
        for some in by_leaf.values():
            values = [self._place.variable(*graph.variables[graph.left[node]]) for node, _ in some]
            factors = self._ops.constant([factor for _, factor in some])
            total = self._plus(total, self._ops.dot(self._ops.join(values), factors))
        return total


def _run(leaf: tuple[int, int]) -> tuple[int, int]:
    """Neighbours in the tree of openings."""
    point, number = leaf
    return point, number // 2


class _Values(Mapping[int, V]):
    """Nodes' values, made when asked for and only then."""

    def __init__(self, make: Callable[[int], V]) -> None:
        self._make = make

    def __getitem__(self, node: int) -> V:
        return self._make(node)

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0
