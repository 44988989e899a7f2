"""The prover: nine steps, numbered as in `verifier.stark.steps` and architecture.md. Uses native."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

import native
from prover import fri
from prover.air.check import Violations, check
from prover.commit import Commitment, ProvingKey, TableColumns, commit
from prover.domains import coset_shift
from prover.field import (
    DEGREE,
    TWO_ADIC_ROOTS,
    ZERO,
    Kb6,
    P,
    add,
    inv,
    inverse,
    scale,
    to_kb6,
)
from prover.hashing import Context, digest, ood_root, to_bytes
from prover.layout import NONCE_WORDS, Layout, TreeName
from prover.machine import LookupValues, interaction_trace, looked_columns
from prover.memory import available_bytes
from prover.point import failing_heights
from prover.predict import predict
from prover.proof import Proof
from prover.quotient import class_quotient, quotient_cosets
from prover.timing import Clock, Progress, Timings
from prover.transcript import Log, Transcript

U32 = NDArray[np.uint32]


class ProvingError(Exception):
    """No proof was made.

    Attributes:
        violations: what the trace breaks, where it could be looked up.
    """

    def __init__(self, message: str, violations: Violations | None = None) -> None:
        super().__init__(f"{message}\n{violations}" if violations else message)
        self.violations = violations


def _powers(base: Kb6, count: int) -> list[Kb6]:
    """base^0 .. base^(count - 1)."""
    return [to_kb6(power) for power in native.powers(base, count).T.tolist()]


class _Prover:
    """One run; attributes are what later steps need of earlier ones."""

    def __init__(
        self,
        key: ProvingKey,
        tables: Mapping[str, U32],
        public_values: Sequence[int],
        log: Log | None,
        threads: int | None,
        consume: bool,
    ) -> None:
        self.key, self.tables, self.public_values, self.threads = key, tables, tuple(public_values), threads
        self._consume = consume
        self.layout: Layout = key.verifying_key.layout
        self.system = self.layout.system
        self.transcript = Transcript(log)
        self.commitments: dict[TreeName, Commitment] = {}
        self.main: dict[int, TableColumns] = {}
        self.body: list[int] = []
        preprocessed = key.preprocessed()
        if preprocessed:
            self.commitments[TreeName.PREPROCESSED] = preprocessed

    def _send_root(self, name: TreeName) -> None:
        root = self.commitments[name].merkle.root
        self.transcript.absorb(f"{name} root", root)
        self._write(np.frombuffer(root, "<u4"))

    def _write(self, words: Sequence[int] | NDArray[np.uint32]) -> None:
        self.body.extend(int(word) for word in words)

    def _write_elements(self, values: Sequence[Kb6]) -> None:
        for value in values:
            self.body.extend(value)

    def bind_statement(self) -> None:
        """Step 1: checks the trace's form; binds parameters, shape, AIR digest, fixed root, public values."""
        key, layout = self.key.verifying_key, self.layout
        if len(self.public_values) != self.system.num_public_values or not all(
            0 <= v < P for v in self.public_values
        ):
            raise ProvingError(f"{self.system.num_public_values} canonical public values are needed")
        for i, air in enumerate(self.system.airs):
            expected = (air.Main.width, 1 << layout.log_heights[i])
            table = self.tables.get(air.name)
            if table is None or table.dtype != np.uint32 or table.shape != expected:
                got = "nothing" if table is None else f"{table.dtype} {table.shape}"
                raise ProvingError(f"{air.name}: a uint32 table of shape {expected} is needed, got {got}")
            values = np.ascontiguousarray(table)
            if not native.is_canonical(values):
                column = int(np.argmax((table >= P).any(axis=1)))
                raise ProvingError(f"{air.name}.{air.Main.names[column]} has values that are not below p")
            owned = (self._consume and values.flags.writeable) or values is not table
            self.main[i] = TableColumns(values, owned=owned)
        self.transcript.absorb("parameters", key.params.encode())
        self.transcript.absorb("shape", key.shape.encode())
        self.transcript.absorb("AIR digest", key.digest)
        if key.preprocessed_root:
            self.transcript.absorb("preprocessed root", key.preprocessed_root)
        if self.public_values:
            self.transcript.absorb_words("public values", self.public_values)

    def _commit(self, name: TreeName, tables: Mapping[int, TableColumns], leave: bool) -> None:
        tree = self.layout.tree(name)
        if tree is not None:
            classes = {c.log_height: [tables[i] for i, _, _ in c.tables] for c in tree.classes}
            self.commitments[name] = commit(self.layout, tree, classes, leave=leave)
            self._send_root(name)

    def commit_main(self) -> None:
        """Step 2; nothing but what lookups read is read on the trace domain again."""
        airs, looking = self.system.airs, self.layout.looking_tables
        self.looked = {i: looked_columns(airs[i], self.main[i].values) for i in looking}
        self._commit(TreeName.MAIN, self.main, leave=True)

    def commit_interaction(self) -> None:
        """Step 3: lookup challenges, interaction traces and their commitment, cumulative sums."""
        alpha, beta = self.transcript.challenge("alpha_lu"), self.transcript.challenge("beta_lu")
        self.lookup = LookupValues(alpha, tuple(_powers(beta, self.layout.max_tuple + 1)[1:]))
        self.sums: dict[int, Kb6] = {}
        interaction: dict[int, TableColumns] = {}
        for i in self.layout.looking_tables:
            columns, self.sums[i] = interaction_trace(
                self.system.airs[i], self.looked.pop(i), self.key.fixed.get(i), self.lookup
            )
            interaction[i] = TableColumns(columns, owned=True)
        if not self.sums:
            return
        self._commit(TreeName.INTERACTION, interaction, leave=True)
        self._send_sums()

    def _send_sums(self) -> None:
        sums = [self.sums[i] for i in self.layout.looking_tables]
        self._write_elements(sums)
        self.transcript.absorb(
            "cumulative sums", digest(Context.SEAL, to_bytes(word for s in sums for word in s))
        )

    def public_contribution(self) -> Kb6:
        """The public tuples' sum of multiplicity / fingerprint."""
        total = ZERO
        for public in self.system.public_tuples:
            d = add(self.lookup.alpha, (public.relation.id, 0, 0, 0, 0, 0))
            for beta, (kind, value) in zip(self.lookup.betas, public.values, strict=False):
                d = add(d, scale(beta, value if kind == "constant" else self.public_values[value]))
            total = add(total, scale(inv(d), public.multiplicity % P))
        return total

    def commit_quotient(self) -> None:
        """Step 4: alpha, quotients by height class, their commitment."""
        layout = self.layout
        self.alphas = _powers(self.transcript.challenge("alpha"), max(layout.constraint_starts[-1], 1))
        classes = {}
        for log in layout.distinct:
            chunks = class_quotient(layout, log, self.commitments, self.lookup, self.alphas, self.sums)
            offset = quotient_cosets(layout, log)[1]  # where the class's tables are now
            values = native.coset_ntt(chunks, 0, offset, out=chunks)
            classes[log] = [TableColumns(values, offset, owned=True)]
        self.commitments[TreeName.QUOTIENT] = commit(layout, layout.trees[-1], classes)
        self._send_root(TreeName.QUOTIENT)

    def open_columns(self) -> None:
        """Step 5: zeta, every column at zeta and zeta * w."""
        layout = self.layout
        self.zeta = self.transcript.challenge("zeta")
        if not any(self.zeta[1:]):
            raise ProvingError("zeta lies in the base field (probability 2^-155): change the statement")
        self.at_zeta: list[Kb6] = [ZERO] * layout.num_columns
        self.at_next: list[Kb6] = [ZERO] * layout.num_columns
        self.zeta_next = {log: scale(self.zeta, TWO_ADIC_ROOTS[log]) for log in layout.distinct}
        for log in layout.distinct:
            offset = quotient_cosets(layout, log)[1]
            weights = native.empty(2 * DEGREE, 1 << log)
            for k, point in enumerate((self.zeta, self.zeta_next[log])):
                # f on offset * H is f(offset y) on H, wanted at point / offset.
                at = scale(point, inverse(offset))
                native.barycentric_weights(log, at, out=weights[DEGREE * k : DEGREE * (k + 1)])
            for tree in layout.trees:
                for c in tree.classes:
                    if c.log_height == log:
                        self._place(c.start, native.dot_columns(self._columns(tree.name, log), weights))
        self._send_openings()

    def _send_openings(self) -> None:
        self._write_elements(self.at_zeta)
        self._write_elements(self.at_next)
        points = [[to_bytes(value) for value in values] for values in (self.at_zeta, self.at_next)]
        self.transcript.absorb("openings", ood_root(points))

    def _columns(self, name: TreeName, log: int) -> list[U32]:
        """The columns of a class on the second quotient coset."""
        offset = quotient_cosets(self.layout, log)[1]
        return [table.move(offset) for table in self.commitments[name].classes[log]]

    def _place(self, start: int, values: U32) -> None:
        for k, column in enumerate(values.T.tolist()):
            self.at_zeta[start + k] = to_kb6(column[:DEGREE])
            self.at_next[start + k] = to_kb6(column[DEGREE:])

    def restore_tables(self) -> None:
        """Puts tables that were consumed back on the trace domain."""
        for table in self.main.values():
            table.move(1)

    def failure(self) -> str | None:
        """Why the verifier would reject this trace; None if it would not."""
        total = self.public_contribution()
        for value in self.sums.values():
            total = add(total, value)
        if total != ZERO:
            return "the lookups do not balance"
        failing = failing_heights(
            self.layout, self.at_zeta, self.at_next, self.lookup, self.alphas, self.sums, self.zeta
        )
        if failing:
            names = [
                air.name
                for air, log in zip(self.system.airs, self.layout.log_heights, strict=True)
                if log in failing
            ]
            return f"constraints of {', '.join(names)} do not hold"
        return None

    def _grind(self, bits: int, label: str) -> None:
        nonce = (
            native.grind(self.transcript.state, bits, Context.GRIND.value, threads=self.threads)
            if bits
            else 0
        )
        words = [nonce & 0xFFFFFFFF, nonce >> 32]
        self._write(words[:NONCE_WORDS])
        self.transcript.absorb_words(label, words)

    def batch(self) -> None:
        """Step 6: grinding, gamma."""
        self._grind(self.layout.params.batching_grinding_bits, "batching nonce")
        self.gammas = _powers(self.transcript.challenge("gamma"), self.layout.num_columns + 1)

    @staticmethod
    def _planar(values: Sequence[Kb6], numbers: Sequence[int]) -> U32:
        """Some of the values as planar KB6 columns."""
        return np.ascontiguousarray(np.array([values[k] for k in numbers], np.uint32).T)

    @staticmethod
    def _sum_of_products(a: U32, b: U32) -> Kb6:
        """Of two planar KB6 columns."""
        return to_kb6((native.kb6_mul(a, b).sum(axis=1, dtype=np.uint64) % P).tolist())

    def _deep_quotient(self, log: int) -> U32:
        """A height's DEEP codeword."""
        columns: list[U32] = []
        numbers: list[int] = []
        for tree in self.layout.trees:
            for c in tree.classes:
                if c.log_height == log:
                    columns += self._columns(tree.name, log)
                    numbers += range(c.start, c.start + c.width)
        weights = self._planar(self.gammas, numbers)
        sums = [
            self._sum_of_products(weights, self._planar(openings, numbers))
            for openings in (self.at_zeta, self.at_next)
        ]
        # The weighted sum of columns is formed on the coset they are on, and extended: six columns, not all.
        dot = native.row_dot(columns, weights)
        shift, offset = coset_shift(self.layout, log), quotient_cosets(self.layout, log)[1]
        dot = native.coset_lde(dot, self.layout.params.log_blowup, shift * inverse(offset) % P)
        last = self.gammas[-1]
        return np.asarray(
            native.deep_quotient(dot, sums[0], sums[1], last, self.zeta, self.zeta_next[log], shift, out=dot)
        )

    def commit_fri(self) -> None:
        """Step 7."""
        self.fri = fri.commit(self.layout, self._deep_quotient, self.transcript)
        for tree in self.fri.trees:
            self._write(np.frombuffer(tree.root, "<u4"))
        self._write_elements(self.fri.final)

    def grind_queries(self) -> None:
        """Step 8."""
        self._grind(self.layout.params.query_grinding_bits, "query nonce")

    def open_queries(self) -> array[int]:
        """Step 9: indices, rows, paths and FRI groups; gives the proof's body."""
        layout = self.layout
        count = layout.params.num_queries
        indices = np.array(self.transcript.indices("queries", count, layout.log_max_points), np.int64)
        parts: list[U32] = []
        for tree in layout.trees:
            parts += self.commitments[tree.name].open(indices)
        parts += self.fri.open(indices)
        words = np.concatenate(parts, axis=1)
        body = array("I", self.body)
        body.frombytes(np.ascontiguousarray(words, np.uint32).tobytes())
        return body


def check_memory(
    key: ProvingKey,
    tables: Mapping[str, U32],
    *,
    max_bytes: int | None = None,
    consume: bool = False,
    threads: int | None = None,
) -> None:
    """Refuses before the work starts what would be killed in the midst of it.

    Args:
        key: of the shape to prove.
        tables: those that are in memory already.
        max_bytes: as in `prove`.
        consume: as in `prove`.
        threads: as in `prove`.

    Raises:
        ProvingError: more memory is needed than there is; says how much, and where.
    """
    prediction = predict(key.verifying_key.layout, consume=consume, workers=threads or native.threads())
    present = sum(table.nbytes for table in tables.values()) + sum(m.nbytes for m in key.fixed.values())
    needed, limit = prediction.peak_bytes - present, max_bytes
    if limit is None:
        limit = available_bytes()
        limit = None if limit is None else limit + native.idle_bytes()
    if limit is not None and needed > limit:
        raise ProvingError(
            f"this shape needs {needed >> 20} MiB more at step {prediction.peak_step!r}, and there are "
            f"{limit >> 20} MiB: take a smaller shape or a machine with more memory"
        )


def prove(
    key: ProvingKey,
    tables: Mapping[str, U32],
    public_values: Sequence[int] = (),
    *,
    progress: Progress | None = None,
    timings: Timings | None = None,
    log: Log | None = None,
    threads: int | None = None,
    check_self: bool = True,
    max_bytes: int | None = None,
    consume: bool = False,
) -> Proof:
    """Proves that the tables satisfy the key's system.

    Args:
        key: from `prover.commit.setup`.
        tables: by table name, canonical uint32 (width, height).
        public_values: the flat public values.
        progress: told of every step.
        timings: filled with seconds by step.
        log: sees every absorption and challenge.
        threads: for this proof; None keeps native's setting.
        check_self: stop at step 5 when the trace is wrong, and say where (costs no pass over the trace unless
            it is); without it a wrong trace gives a proof that verifiers reject.
        max_bytes: memory that may be taken; None asks the system what it has.
        consume: the tables' arrays may be overwritten, which saves a copy of them; their content is lost.

    Raises:
        ProvingError: more memory needed than there is, tables of the wrong form, or (with `check_self`) a
            trace that breaks the system, with every violated constraint and unbalanced lookup.
    """
    check_memory(key, tables, max_bytes=max_bytes, consume=consume, threads=threads)
    before = native.threads()
    if threads is not None:
        native.set_threads(threads)
    clock = Clock(timings if timings is not None else Timings(), progress)
    try:
        with clock.running():
            run = _Prover(key, tables, public_values, log, threads, consume)
            clock.start(1)
            run.bind_statement()
            clock.start(2)
            run.commit_main()
            clock.start(3)
            run.commit_interaction()
            clock.start(4)
            run.commit_quotient()
            clock.start(5)
            run.open_columns()
            reason = run.failure() if check_self else None
            if reason:
                run.restore_tables()
                fixed = {key.verifying_key.system.airs[i].name: m for i, m in key.fixed.items()}
                raise ProvingError(
                    reason, check(key.verifying_key.system, tables, public_values, fixed=fixed)
                )
            clock.start(6)
            run.batch()
            clock.start(7)
            run.commit_fri()
            clock.start(8)
            run.grind_queries()
            clock.start(9)
            body = run.open_queries()
            return Proof(run.layout, run.public_values, body)
    finally:
        if threads is not None:
            native.set_threads(before)
