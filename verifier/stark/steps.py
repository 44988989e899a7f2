"""The verifier, written once over `Ops`. Steps are numbered as in `prover.prove` and architecture.md.

Nothing branches on a value of the proof: the key alone fixes what runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from prover.air.air import Rows
from prover.air.composition import Row, compose
from prover.air.expression import Space
from prover.air.logup import LookupChallenges
from prover.domains import log_ratio, periodic_coefficients, point_inverse
from prover.field import DEGREE, TWO_ADIC_ROOTS, ZERO, P
from prover.hashing import DIGEST_WORDS, OOD_LEAF_COLUMNS, Context, to_words
from prover.key import VerifyingKey
from prover.layout import NONCE_WORDS, TreeName
from prover.transcript import INDICES_PER_BLOCK
from verifier.stark.ops import Ops
from verifier.stark.query import QueryContext, verify_query
from verifier.stark.reasons import RejectReason

V = TypeVar("V")


class Scope(StrEnum):
    """Names of the main program's parts."""

    STATEMENT = "statement"
    TRANSCRIPT = "transcript"
    OPENINGS = "openings"
    CONSTRAINTS = "constraints"
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
        layout = self.layout
        self.lookup = LookupChallenges(self.transcript.challenge(), self._betas())
        if layout.looking_tables:
            self._read_root(TreeName.INTERACTION)
            self.sums = self.ops.read_elements(DEGREE * len(layout.looking_tables), "cumulative sums")
            self.transcript.absorb(self.sums)

    def check_lookup_sum(self) -> None:
        """Step 3, continued: the cumulative sums and the public tuples' come to zero."""
        ops, layout = self.ops, self.layout
        if not layout.looking_tables and not layout.system.public_tuples:
            return
        total = ops.constant(ZERO)
        for i in range(len(layout.looking_tables)):
            total = ops.ext_add(total, self.element(self.sums, i))
        total = ops.ext_add(total, self._public_contribution())
        ops.assert_zero(total, RejectReason.LOOKUP_SUM, "step 3")

    def _betas(self) -> list[V]:
        count = self.layout.max_tuple + 1
        self._beta_powers = self.ops.powers(self.transcript.challenge(), count)
        return [self.element(self._beta_powers, i) for i in range(1, count)]

    def _public_contribution(self) -> V:
        """The public tuples' sum of multiplicity / fingerprint."""
        ops, total = self.ops, self.ops.constant(ZERO)
        tuples = self.layout.system.public_tuples
        ids = {public.relation.id for public in tuples}
        starts = {id: self.algebra.ext_offset(self.lookup.alpha, id) for id in sorted(ids)}
        for i, public in enumerate(tuples):
            words = [
                ops.constant([value]) if kind == "constant" else ops.part(self.public_values, value, 1)
                for kind, value in public.values
            ]
            betas = self.elements(self._beta_powers, 1, len(words))
            d = ops.ext_add(ops.dot(betas, ops.join(words)), starts[public.relation.id])
            term = ops.ext_inverse(d, f"public tuple {i}")
            if public.multiplicity != 1:
                term = self.algebra.scale(term, public.multiplicity)
            total = ops.ext_add(total, term)
        return total

    def read_quotient_commitment(self) -> None:
        """Step 4: alpha, quotient commitment."""
        self.alphas = self.ops.powers(self.transcript.challenge(), max(self.layout.constraint_starts[-1], 1))
        self._read_root(TreeName.QUOTIENT)

    def read_openings(self) -> None:
        """Step 5: zeta, the openings and their hash tree."""
        ops, columns = self.ops, self.layout.num_columns
        self.zeta = self.transcript.challenge()
        ops.assert_not_all_zero(ops.part(self.zeta, 1, DEGREE - 1), RejectReason.ZETA, "step 5")
        self.at_zeta = ops.read_elements(DEGREE * columns, "openings at zeta")
        self.at_next = ops.read_elements(DEGREE * columns, "openings at zeta w")
        with ops.scope(Scope.OPENINGS):
            level = []
            for start in range(0, columns, OOD_LEAF_COLUMNS):
                group = range(start, min(start + OOD_LEAF_COLUMNS, columns))
                pairs = [self.element(values, k) for k in group for values in (self.at_zeta, self.at_next)]
                level.append(ops.hash(Context.OOD_LEAF, ops.join(pairs)))
            padding = (1 << (len(level) - 1).bit_length()) - len(level)
            level += [ops.constant([0] * DIGEST_WORDS)] * padding
            while len(level) > 1:
                level = [ops.hash(Context.NODE, ops.join(level[j : j + 2])) for j in range(0, len(level), 2)]
        self.transcript.absorb(level[0])

    def check_constraints(self) -> None:
        """Step 5, continued: every height class's composition at zeta equals Z_H times its quotient."""
        ops, layout = self.ops, self.layout
        one = ops.constant((1, 0, 0, 0, 0, 0))
        self.zeta_powers = [self.zeta]  # zeta^(2^i)
        for _ in range(layout.log_max_height):
            self.zeta_powers.append(ops.ext_mul(self.zeta_powers[-1], self.zeta_powers[-1]))
        self._periodic: dict[tuple[int, int], V] = {}
        for log in layout.distinct:
            vanishing = ops.ext_sub(self.zeta_powers[log], one)
            last = ops.constant((point_inverse(log), 0, 0, 0, 0, 0))
            to_first, to_last = ops.ext_sub(self.zeta, one), ops.ext_sub(self.zeta, last)
            selectors = {
                Rows.FIRST: ops.ext_mul(vanishing, ops.ext_inverse(to_first, "first row")),
                Rows.LAST: ops.ext_mul(vanishing, ops.ext_inverse(to_last, "last row")),
                Rows.TRANSITION: to_last,
            }
            total = ops.constant(ZERO)
            for i, air in enumerate(layout.system.airs):
                if layout.log_heights[i] != log:
                    continue
                start, end = layout.constraint_starts[i : i + 2]
                alphas = [self.element(self.alphas, k) for k in range(start, end)]
                with ops.scope(air.name):
                    for rows, value in compose(self.algebra, air, self._row(i), self.lookup, alphas).items():
                        part = value if rows is Rows.ALL else ops.ext_mul(value, selectors[rows])
                        total = ops.ext_add(total, part)
            quotient = self._quotient(log)
            ops.assert_equal(
                ops.ext_mul(vanishing, quotient), total, RejectReason.CONSTRAINTS, f"height 2^{log}"
            )

    def _extension_column(self, openings: V, start: int) -> V:
        """Six base columns' openings as one value: sum of X^i times the i-th."""
        units = self.ops.constant([int(i == j) for i in range(DEGREE) for j in range(DEGREE)])
        return self.ops.ext_dot(units, self.elements(openings, start, DEGREE))

    def _quotient(self, log: int) -> V:
        start = self.layout.quotient_start(log)
        low = self._extension_column(self.at_zeta, start)
        high = self._extension_column(self.at_zeta, start + DEGREE)
        return self.ops.ext_add(low, self.ops.ext_mul(self.zeta_powers[log], high))

    def _row(self, table: int) -> Row[V, V]:
        """The table's values at zeta."""
        layout = self.layout
        air, log = layout.system.airs[table], layout.log_heights[table]
        starts = {
            Space.MAIN: layout.column_start(TreeName.MAIN, table),
            Space.PREPROCESSED: layout.column_start(TreeName.PREPROCESSED, table),
        }
        periods = list(air.periodic.values())

        def variable(space: Space, index: int, offset: int) -> V:
            if space is Space.PERIODIC:
                return self._periodic_value(periods[index], log)
            return self.element(self.at_next if offset else self.at_zeta, starts[space] + index)

        if table not in layout.looking_tables:
            return Row(variable, [], None, None)
        start = layout.column_start(TreeName.INTERACTION, table)
        groups = (layout.constraint_starts[table + 1] - layout.constraint_starts[table]) - len(
            air.record.constraints
        )
        columns = [self._extension_column(self.at_zeta, start + DEGREE * g) for g in range(groups)]
        following = self._extension_column(self.at_next, start + DEGREE * (groups - 1))
        cumulative = self.element(self.sums, layout.looking_tables.index(table))
        share = self.algebra.scale(cumulative, pow(1 << log, P - 2, P))
        return Row(variable, columns, following, share)

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
        self.transcript.absorb(ops.hash(Context.SEAL, self.final))

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
