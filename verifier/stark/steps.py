"""The verifier, written once over `Ops`. Steps are numbered as in `prover.prove` and architecture.md.

Nothing branches on a value of the proof: the key alone fixes what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, TypeVar

from prover.air.air import Rows
from prover.air.expression import Space
from prover.domains import log_ratio, periodic_coefficients, point_inverse
from prover.field import DEGREE, TWO_ADIC_ROOTS, ZERO, P
from prover.hashing import DIGEST_WORDS, OOD_LEAF_COLUMNS, Context, to_words
from prover.key import VerifyingKey
from prover.layout import NONCE_WORDS, TreeName
from prover.transcript import INDICES_PER_BLOCK
from verifier.stark.composition import Composer, HornerFingerprints, Place
from verifier.stark.ops import Ops
from verifier.stark.query import QueryContext, verify_query
from verifier.stark.reasons import RejectReason

V = TypeVar("V")

PUBLIC_TUPLES = 5
"""Of a scope."""


class Scope(StrEnum):
    """Names of the main program's parts."""

    STATEMENT = "statement"
    TRANSCRIPT = "transcript"
    OPENINGS = "openings"
    CONSTRAINTS = "constraints"
    HEIGHTS = "heights"
    BATCH = "batch"
    INDICES = "indices"


class OpsTranscript(Generic[V]):
    """`prover.transcript.Transcript` over operations."""

    def __init__(self, ops: Ops[V]) -> None:
        self._ops = ops
        self.state = ops.constant([0] * DIGEST_WORDS)

    def absorb(self, data: V) -> None:
        """State = H(state || data)."""
        self.state = self._ops.hash(Context.TRANSCRIPT, self._ops.join([self.state, data]))

    def squeeze(self) -> V:
        """16 words."""
        block = self._ops.hash_wide(Context.TRANSCRIPT, self.state)
        self.state = self._ops.hash(Context.TRANSCRIPT, self._ops.part(block, 0, DIGEST_WORDS))
        return block

    def challenge(self) -> V:
        """A KB6 element."""
        return self._ops.challenge(self.squeeze())


class PointAlgebra(Generic[V]):
    """`composition.Algebra` at an out-of-domain point, where base columns too take KB6 values."""

    def __init__(self, ops: Ops[V]) -> None:
        self._ops = ops
        self.ext_add = self.add = ops.ext_add
        self.ext_sub = self.sub = ops.ext_sub
        self.ext_mul = self.ext_scale = self.mul = ops.ext_mul

    def constant(self, value: int) -> V:
        """As an element of KB6."""
        return self._ops.constant((value % P, 0, 0, 0, 0, 0))

    def scale(self, a: V, value: int) -> V:
        """Times a base constant."""
        return self._ops.ext_scale(a, self._ops.constant([value % P]))

    def embed(self, a: V) -> V:
        """Already in KB6."""
        return a

    def ext_offset(self, a: V, value: int) -> V:
        """Plus a base constant."""
        return self._ops.ext_add(a, self.constant(value))


class Selectors(Generic[V]):
    """A height's selectors of rows at zeta, each made when first asked for.

    Args:
        ops: where they are written.
        zeta: the point.
        vanishing: zeta^n - 1.
        log: of the height n.
    """

    def __init__(self, ops: Ops[V], zeta: V, vanishing: V, log: int) -> None:
        self._ops, self._zeta, self._vanishing, self._log = ops, zeta, vanishing, log
        self._made: dict[Rows, V] = {}

    def __call__(self, rows: Rows) -> V:
        """Of FIRST, LAST or TRANSITION."""
        if rows not in self._made:
            self._made[rows] = self._make(rows)
        return self._made[rows]

    def _make(self, rows: Rows) -> V:
        ops = self._ops
        point = 1 if rows is Rows.FIRST else point_inverse(self._log)
        difference = ops.ext_sub(self._zeta, ops.constant((point, 0, 0, 0, 0, 0)))
        if rows is Rows.TRANSITION:
            return difference
        return ops.ext_mul(self._vanishing, ops.ext_inverse(difference, f"{rows} row"))


class Verification(Generic[V]):
    """One run of the steps; the attributes are what later steps need of earlier ones."""

    def __init__(self, ops: Ops[V], key: VerifyingKey) -> None:
        self.ops, self.key, self.layout = ops, key, key.layout
        self.transcript = OpsTranscript(ops)
        self.roots: dict[TreeName, V] = {}
        self.algebra = PointAlgebra(ops)
        self.index_blocks: list[V] = []

    def run(self) -> None:
        """All nine steps, in order."""
        scope = self.ops.scope
        with scope(Scope.STATEMENT):
            self.bind_statement()
        with scope(Scope.TRANSCRIPT):
            self.read_main_commitment()
            self.read_interaction_commitment()
        with scope(Scope.STATEMENT):
            self.check_lookup_sum()
        with scope(Scope.TRANSCRIPT):
            self.read_quotient_commitment()
            self.read_openings()
        with scope(Scope.CONSTRAINTS):
            self.check_constraints()
        self.batch()
        with scope(Scope.TRANSCRIPT):
            self.read_fri_commitments()
        self.check_queries()

    def element(self, a: V, index: int) -> V:
        """The index-th KB6 element of a run."""
        return self.ops.part(a, DEGREE * index, DEGREE)

    def elements(self, a: V, start: int, count: int) -> V:
        """A run of KB6 elements of a run."""
        return self.ops.part(a, DEGREE * start, DEGREE * count)

    def _read_root(self, tree: TreeName) -> None:
        self.roots[tree] = self.ops.read_words(DIGEST_WORDS)
        self.transcript.absorb(self.roots[tree])

    def bind_statement(self) -> None:
        """Step 1: parameters, shape, AIR digest, preprocessed root, public values."""
        ops, key = self.ops, self.key
        for data in (key.params.encode(), key.shape.encode(), key.digest):
            self.transcript.absorb(ops.constant(to_words(data)))
        if key.preprocessed_root:
            self.roots[TreeName.PREPROCESSED] = ops.constant(to_words(key.preprocessed_root))
            self.transcript.absorb(self.roots[TreeName.PREPROCESSED])
        self.public_values = ops.public_values()
        if key.system.num_public_values:
            self.transcript.absorb(self.public_values)

    def read_main_commitment(self) -> None:
        """Step 2."""
        self._read_root(TreeName.MAIN)

    def read_interaction_commitment(self) -> None:
        """Step 3: lookup challenges, interaction commitment, cumulative sums."""
        ops, layout = self.ops, self.layout
        self.lookup = HornerFingerprints(self.transcript.challenge(), self.transcript.challenge())
        if layout.looking_tables:
            self._read_root(TreeName.INTERACTION)
            self.sums = ops.read_elements(DEGREE * len(layout.looking_tables), "cumulative sums")
            self.transcript.absorb(ops.hash(Context.SEAL, self.sums))

    def check_lookup_sum(self) -> None:
        """Step 3, continued: the cumulative sums and the public tuples' come to zero."""
        ops, layout = self.ops, self.layout
        if not layout.looking_tables and not layout.system.public_tuples:
            return
        total = ops.constant(ZERO)
        with ops.scope("sums"):
            for i in range(len(layout.looking_tables)):
                total = ops.ext_add(total, self.element(self.sums, i))
        total = ops.ext_add(total, self._public_contribution())
        ops.assert_zero(total, RejectReason.LOOKUP_SUM, "step 3")

    def _public_contribution(self) -> V:
        """The public tuples' sum of multiplicity / fingerprint."""
        tuples, total = self.layout.system.public_tuples, self.ops.constant(ZERO)
        for start in range(0, len(tuples), PUBLIC_TUPLES):
            end = min(start + PUBLIC_TUPLES, len(tuples))
            with self.ops.scope(f"public tuples {start} to {end - 1}"):
                part = self._public_tuple(start)
                for i in range(start + 1, end):
                    part = self.ops.ext_add(part, self._public_tuple(i))
            total = self.ops.ext_add(total, part)
        return total

    def _public_tuple(self, number: int) -> V:
        """Multiplicity / fingerprint."""
        ops, public = self.ops, self.layout.system.public_tuples[number]
        words = [
            ops.constant([value]) if kind == "constant" else ops.part(self.public_values, value, 1)
            for kind, value in public.values
        ]
        total = self.lookup.fold(self.algebra, [ops.embed(word) for word in words])
        d = self.lookup.fingerprint(self.algebra, public.relation.id, total)
        return self.algebra.scale(ops.ext_inverse(d, f"public tuple {number}"), public.multiplicity)

    def read_quotient_commitment(self) -> None:
        """Step 4: alpha, quotient commitment."""
        self.alpha = self.transcript.challenge()
        self._read_root(TreeName.QUOTIENT)

    def read_openings(self) -> None:
        """Step 5: zeta, the openings and their hash tree."""
        ops, columns = self.ops, self.layout.num_columns
        self.zeta = self.transcript.challenge()
        ops.assert_not_all_zero(ops.part(self.zeta, 1, DEGREE - 1), RejectReason.ZETA, "step 5")
        self.at_zeta = ops.read_elements(DEGREE * columns, "openings at zeta")
        self.at_next = ops.read_elements(DEGREE * columns, "openings at zeta w")
        with ops.scope(Scope.OPENINGS):
            level: list[V] = []
            for values in (self.at_zeta, self.at_next):
                starts = range(0, columns, OOD_LEAF_COLUMNS)
                for start in starts:
                    group = self.elements(values, start, min(OOD_LEAF_COLUMNS, columns - start))
                    level.append(ops.hash(Context.OOD_LEAF, group))
                padding = (1 << (len(starts) - 1).bit_length()) - len(starts)
                level += [ops.constant([0] * DIGEST_WORDS)] * padding
            while len(level) > 1:
                level = [ops.hash(Context.NODE, ops.join(level[j : j + 2])) for j in range(0, len(level), 2)]
        self.transcript.absorb(level[0])

    def check_constraints(self) -> None:
        """Step 5, continued: every height class's composition at zeta equals Z_H times its quotient."""
        ops, layout = self.ops, self.layout
        self._periodic: dict[tuple[int, int], V] = {}
        with ops.scope(Scope.HEIGHTS):
            self.zeta_powers = [self.zeta]  # zeta^(2^i)
            for _ in range(layout.log_max_height):
                self.zeta_powers.append(ops.ext_mul(self.zeta_powers[-1], self.zeta_powers[-1]))
            one = ops.constant((1, 0, 0, 0, 0, 0))
            vanishing = {log: ops.ext_sub(self.zeta_powers[log], one) for log in layout.distinct}
        totals = {log: ops.constant(ZERO) for log in layout.distinct}
        for i, air in enumerate(layout.system.airs):
            log = layout.log_heights[i]
            with ops.scope(air.name):
                with ops.scope("periodic"):
                    periodic = [self._periodic_value(values, log) for values in air.periodic.values()]
                place = self._place(i, periodic, Selectors(ops, self.zeta, vanishing[log], log))
                composer = Composer(ops, self.algebra, air, place, self.lookup, self.alpha)
                part = composer.compose(layout.constraint_starts[i])
            with ops.scope(Scope.HEIGHTS):
                totals[log] = ops.ext_add(totals[log], part)
        with ops.scope(Scope.HEIGHTS):
            for log in layout.distinct:
                quotient = ops.ext_mul(vanishing[log], self._quotient(log))
                ops.assert_equal(quotient, totals[log], RejectReason.CONSTRAINTS, f"height 2^{log}")

    def _extension_column(self, openings: V, start: int) -> V:
        """Six base columns' openings as one value: sum of X^i times the i-th."""
        units = self.ops.constant([int(i == j) for i in range(DEGREE) for j in range(DEGREE)])
        return self.ops.ext_dot(units, self.elements(openings, start, DEGREE))

    def _quotient(self, log: int) -> V:
        start = self.layout.quotient_start(log)
        low = self._extension_column(self.at_zeta, start)
        high = self._extension_column(self.at_zeta, start + DEGREE)
        return self.ops.ext_add(low, self.ops.ext_mul(self.zeta_powers[log], high))

    def _place(self, table: int, periodic: Sequence[V], selectors: Selectors[V]) -> Place[V]:
        """The table at zeta; `periodic` are the values of its periodic columns."""
        layout = self.layout
        log = layout.log_heights[table]
        starts = {
            Space.MAIN: layout.column_start(TreeName.MAIN, table),
            Space.PREPROCESSED: layout.column_start(TreeName.PREPROCESSED, table),
        }
        interaction = layout.column_start(TreeName.INTERACTION, table)

        def variable(space: Space, index: int, offset: int) -> V:
            if space is Space.PERIODIC:
                return periodic[index]
            return self.element(self.at_next if offset else self.at_zeta, starts[space] + index)

        def leaf(space: Space, index: int, offset: int) -> tuple[int, int] | None:
            return None if space is Space.PERIODIC else (offset, (starts[space] + index) // OOD_LEAF_COLUMNS)

        def column(number: int, offset: int) -> V:
            return self._extension_column(
                self.at_next if offset else self.at_zeta, interaction + DEGREE * number
            )

        def share() -> V:
            with self.ops.scope("share"):
                cumulative = self.element(self.sums, layout.looking_tables.index(table))
                return self.algebra.scale(cumulative, pow(1 << log, P - 2, P))

        return Place(variable, column, selectors, share, leaf)

    def _periodic_value(self, values: tuple[int, ...], log: int) -> V:
        """The column's polynomial at zeta: one period's interpolant at zeta^(n / period)."""
        log_period = len(values).bit_length() - 1
        if log_period == 0:
            return self.algebra.constant(values[0])
        key = (log - log_period, len(values))
        if key not in self._periodic:
            self._periodic[key] = self.ops.powers(self.zeta_powers[key[0]], len(values))
        coefficients = periodic_coefficients(values)
        return self.ops.dot(self._periodic[key], self.ops.constant(coefficients))

    def _grind(self, bits: int, reason: RejectReason, where: str) -> None:
        """Reads a nonce, checks its work against the state before it, absorbs it."""
        ops = self.ops
        nonce = ops.read_words(NONCE_WORDS)
        if bits:
            work = ops.hash(Context.GRIND, ops.join([self.transcript.state, nonce]))
            ops.assert_zero(ops.bits(ops.part(work, 0, 1), bits), reason, where)
        self.transcript.absorb(nonce)

    def batch(self) -> None:
        """Step 6: grinding, gamma, and what each height's DEEP quotient needs of it."""
        ops, layout = self.ops, self.layout
        with ops.scope(Scope.TRANSCRIPT):
            self._grind(layout.params.batching_grinding_bits, RejectReason.BATCHING_GRINDING, "step 6")
            gamma = self.transcript.challenge()
        with ops.scope(Scope.BATCH):
            self._batch(gamma)

    def _batch(self, gamma: V) -> None:
        ops, layout = self.ops, self.layout
        powers = ops.powers(gamma, layout.num_columns + 1)
        self.gammas = powers
        self.gamma_last = self.element(powers, layout.num_columns)
        self.batched: dict[int, tuple[V, V]] = {}
        self.points: dict[int, V] = {}
        for log in layout.distinct:
            sums = []
            for openings in (self.at_zeta, self.at_next):
                total = ops.constant(ZERO)
                for tree in layout.trees:
                    for c in tree.classes:
                        if c.log_height == log:
                            weights = self.elements(powers, c.start, c.width)
                            total = ops.ext_add(
                                total, ops.ext_dot(weights, self.elements(openings, c.start, c.width))
                            )
                sums.append(total)
            self.batched[log] = (sums[0], sums[1])
            self.points[log] = self.algebra.scale(self.zeta, TWO_ADIC_ROOTS[log])

    def read_fri_commitments(self) -> None:
        """Step 7: each layer's root, then its beta; the final polynomial."""
        ops, layout = self.ops, self.layout
        self.fri_roots: list[V] = []
        self.fri_betas: list[V] = []
        self.join_betas: list[V] = []
        for layer in layout.fri_layers:
            self.fri_roots.append(ops.read_words(DIGEST_WORDS))
            self.transcript.absorb(self.fri_roots[-1])
            self.fri_betas.append(self.transcript.challenge())
            arity = 1 << layer.fold.log_arity
            self.join_betas.append(self.element(ops.powers(self.fri_betas[-1], arity + 1), arity))
        self.final = ops.read_elements(DEGREE * layout.final_degree, "final polynomial")
        final = ops.hash(Context.SEAL, self.final)
        self.transcript.absorb(final)
        self._seal_commitments(final)

    def _seal_commitments(self, final: V) -> None:
        """As `_seal_batch`, a tree of hashes: a part of a query reads one root, or one layer's, of many."""
        ops = self.ops
        parts = [root for tree, root in self.roots.items() if tree is not TreeName.PREPROCESSED]
        for layer, *values in zip(
            self.layout.fri_layers, self.fri_roots, self.fri_betas, self.join_betas, strict=True
        ):
            parts.append(ops.hash(Context.SEAL, ops.join(values if layer.fold.joins else values[:-1])))
        parts.append(final)  # the dearest to read, and with the shortest path
        while len(parts) > 1:
            pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
            parts = [ops.hash(Context.SEAL, ops.join(pair)) if pair[1:] else pair[0] for pair in pairs]

    def _seal_batch(self) -> None:
        """A hash that nothing here compares: by it the bridge hands to each query what the batch step has made."""
        starts = [
            c.start for tree in self.layout.trees for c in tree.classes if c.start > 1
        ]  # not 1 and gamma
        pairs = [value for pair in self.batched.values() for value in pair]
        powers = [self.element(self.gammas, start) for start in starts]
        self.ops.hash(Context.SEAL, self.ops.join([*self.points.values(), *pairs, self.gamma_last, *powers]))

    def _index(self, query: int) -> V:
        """A word of H(state || k), 16 to a k."""
        number, place = divmod(query, INDICES_PER_BLOCK)
        while len(self.index_blocks) <= number:
            seed = self.ops.join([self.transcript.state, self.ops.constant([len(self.index_blocks)])])
            self.index_blocks.append(self.ops.hash_wide(Context.INDICES, seed))
        return self.ops.part(self.index_blocks[number], place, 1)

    def check_queries(self) -> None:
        """Steps 8 and 9: grinding, query indices, and every query's openings."""
        ops, layout = self.ops, self.layout
        with ops.scope(Scope.TRANSCRIPT):
            self._grind(layout.params.query_grinding_bits, RejectReason.QUERY_GRINDING, "step 8")
        count = layout.params.num_queries
        with ops.scope(Scope.BATCH):
            self._seal_batch()
        with ops.scope(Scope.INDICES):
            indices = ops.join([self._index(q) for q in range(count)])
        context = QueryContext(
            layout=layout,
            roots=self.roots,
            fri_roots=self.fri_roots,
            betas=self.fri_betas,
            join_betas=self.join_betas,
            final=self.final,
            zeta=self.zeta,
            zeta_next=self.points,
            batched=self.batched,
            gammas=self.gammas,
            starts={
                c.start: self.element(self.gammas, c.start) for tree in layout.trees for c in tree.classes
            },
            gamma_last=self.gamma_last,
            log_ratios={log: log_ratio(layout, log) for log in layout.distinct},
        )
        ops.for_each("query", indices, count, lambda index: verify_query(ops, context, index))


def verify_steps(ops: Ops[V], key: VerifyingKey) -> None:
    """Runs the verifier over `ops`."""
    Verification(ops, key).run()
