"""What a system, a shape and parameters fix: column numbers, trees, FRI rounds, proof layout, figures.

Columns are numbered through the system (the powers of gamma): tree by tree (preprocessed, main, interaction,
quotient), within a tree by height class, tallest first, within a class by table in system order. So the row
of a class is a run of neighbouring numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from prover.air.air import AirSystem
from prover.air.composition import num_constraints
from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS
from prover.params import ProofParams
from prover.security import FoldRound, SecurityFigures
from prover.shape import Shape, check_shape, fold_schedule, groups, lookup_fractions

QUOTIENT_CHUNKS = 2
"""Composition over Z_H has degree < 2n: two chunks of six base columns a height class."""
QUOTIENT_WIDTH = QUOTIENT_CHUNKS * DEGREE
OPENED_POINTS = 2
NONCE_WORDS = 2


HASH_BLOCK_COLUMNS = 16
"""Columns that one compression of a row hash takes."""
_STREAMED_WORDS = 1 << 23
UNKEPT_LEVELS = 6
"""Of a Merkle tree, the leaves and the levels from this one on are kept; those between are hashed when opened."""


def streamed_columns(num_points: int) -> int:
    """Columns that the prover extends at a time: whole blocks of the row hash, 32 MiB if one is no larger."""
    return max(_STREAMED_WORDS // num_points // HASH_BLOCK_COLUMNS, 1) * HASH_BLOCK_COLUMNS


class TreeName(StrEnum):
    """The committed matrices, in order of column number."""

    PREPROCESSED = "preprocessed"
    MAIN = "main"
    INTERACTION = "interaction"
    QUOTIENT = "quotient"


@dataclass(frozen=True)
class ClassColumns:
    """The columns of one height class in one tree.

    Attributes:
        log_height: of the tables.
        start: number of the first column.
        width: columns.
        tables: (table index, number of its first column, its width); empty for the quotient.
    """

    log_height: int
    start: int
    width: int
    tables: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Tree:
    """One commitment: its height classes, tallest first. `log_leaves` is the depth of its paths."""

    name: TreeName
    classes: tuple[ClassColumns, ...]
    log_leaves: int

    @property
    def width(self) -> int:
        """Columns in all."""
        return sum(c.width for c in self.classes)


@dataclass(frozen=True)
class FriLayer:
    """One committed FRI codeword, in groups of 2^log_arity: a tree with 2^log_leaves leaves."""

    fold: FoldRound

    @property
    def log_leaves(self) -> int:
        """Depth of its paths."""
        return self.fold.log_size - self.fold.log_arity

    @property
    def group_words(self) -> int:
        """Words of a leaf."""
        return DEGREE << self.fold.log_arity


class LeafKind(StrEnum):
    """What a proof's words are."""

    ELEMENT = "element"
    DIGEST = "digest"
    NONCE = "nonce"


@dataclass(frozen=True)
class Span:
    """A run of the proof's body.

    Attributes:
        path: what it is, such as "query 3: main row".
        part: for sizes, such as "rows".
        kind: of its words.
        start, length: in words.
        item: words of one leaf in it (6 for KB6 values, 8 for digests, 1 for base elements, 2 for nonces).
    """

    path: str
    part: str
    kind: LeafKind
    start: int
    length: int
    item: int


@dataclass(frozen=True)
class Layout:
    """Derived figures of (system, shape, params). Raises ShapeError when they do not fit together."""

    system: AirSystem
    shape: Shape
    params: ProofParams

    def __post_init__(self) -> None:
        check_shape(self.system, self.shape)
        fold_schedule(self.shape.distinct, self.params)

    @cached_property
    def log_heights(self) -> tuple[int, ...]:
        """By table."""
        return tuple(log for _, log in self.shape.log_heights)

    @cached_property
    def distinct(self) -> tuple[int, ...]:
        """Distinct log heights, tallest first."""
        return self.shape.distinct

    @property
    def log_max_height(self) -> int:
        """The tallest table's."""
        return self.distinct[0]

    @property
    def log_max_points(self) -> int:
        """Log size of the tallest LDE domain."""
        return self.distinct[0] + self.params.log_blowup

    @cached_property
    def trees(self) -> tuple[Tree, ...]:
        """The trees that have columns, in order."""
        airs, start, out = self.system.airs, 0, []
        widths = {
            TreeName.PREPROCESSED: [air.Fixed.width for air in airs],
            TreeName.MAIN: [air.Main.width for air in airs],
            TreeName.INTERACTION: [DEGREE * groups(i, self.system) for i in range(len(airs))],
        }
        for name in TreeName:
            classes = []
            for log in self.distinct:
                first, tables = start, []
                if name is TreeName.QUOTIENT:
                    start += QUOTIENT_WIDTH
                else:
                    for i, width in enumerate(widths[name]):
                        if width and self.log_heights[i] == log:
                            tables.append((i, start, width))
                            start += width
                if start > first:
                    classes.append(ClassColumns(log, first, start - first, tuple(tables)))
            if classes:
                log_leaves = classes[0].log_height + self.params.log_blowup
                out.append(Tree(name, tuple(classes), log_leaves))
        return tuple(out)

    def tree(self, name: TreeName) -> Tree | None:
        """A tree, or None where the system has no such column."""
        return next((tree for tree in self.trees if tree.name is name), None)

    def column_start(self, name: TreeName, table: int) -> int:
        """Number of a table's first column in a tree (0 where it has none)."""
        tree = self.tree(name)
        starts = (s for c in tree.classes for i, s, _ in c.tables if i == table) if tree else iter(())
        return next(starts, 0)

    def quotient_start(self, log_height: int) -> int:
        """Number of the first quotient column of a height class."""
        tree = self.trees[-1]
        return next(c.start for c in tree.classes if c.log_height == log_height)

    @cached_property
    def num_columns(self) -> int:
        """Opened base columns in all (B)."""
        return sum(tree.width for tree in self.trees)

    @cached_property
    def constraint_starts(self) -> tuple[int, ...]:
        """First power of alpha of every table, then their total."""
        starts = [0]
        for air in self.system.airs:
            starts.append(starts[-1] + num_constraints(air))
        return tuple(starts)

    @cached_property
    def looking_tables(self) -> tuple[int, ...]:
        """Tables with interactions; each has a cumulative sum in the proof."""
        return tuple(i for i in range(len(self.system.airs)) if groups(i, self.system))

    @cached_property
    def max_tuple(self) -> int:
        """Longest tuple of any interaction or public tuple."""
        used = [i.relation for air in self.system.airs for i in air.record.interactions]
        used += [t.relation for t in self.system.public_tuples]
        return max((relation.arity for relation in used), default=0)

    @cached_property
    def fri_layers(self) -> tuple[FriLayer, ...]:
        """The committed FRI codewords."""
        return tuple(FriLayer(fold) for fold in fold_schedule(self.distinct, self.params))

    @property
    def final_degree(self) -> int:
        """Coefficients of the final polynomial."""
        return 1 << self.params.log_final_degree

    @cached_property
    def figures(self) -> SecurityFigures:
        """What soundness depends on."""
        return SecurityFigures(
            log_heights=self.distinct,
            batch_size=OPENED_POINTS * self.num_columns,
            num_constraints=max(self.constraint_starts[-1], 1),
            rounds=tuple(layer.fold for layer in self.fri_layers),
            lookup_fractions=lookup_fractions(self.system, self.shape),
            lookup_arity=max(self.max_tuple, 1),
        )

    @cached_property
    def head(self) -> tuple[Span, ...]:
        """The body's spans before the queries."""
        out: list[Span] = []

        def span(path: str, part: str, kind: LeafKind, item: int, count: int) -> None:
            start = out[-1].start + out[-1].length if out else 0
            if count:
                out.append(Span(path, part, kind, start, item * count, item))

        interaction = self.tree(TreeName.INTERACTION) is not None
        span("main root", "roots", LeafKind.DIGEST, DIGEST_WORDS, 1)
        span("interaction root", "roots", LeafKind.DIGEST, DIGEST_WORDS, int(interaction))
        span("cumulative sums", "sums", LeafKind.ELEMENT, DEGREE, len(self.looking_tables))
        span("quotient root", "roots", LeafKind.DIGEST, DIGEST_WORDS, 1)
        span("openings at zeta", "openings", LeafKind.ELEMENT, DEGREE, self.num_columns)
        span("openings at zeta w", "openings", LeafKind.ELEMENT, DEGREE, self.num_columns)
        span("batching nonce", "nonces", LeafKind.NONCE, NONCE_WORDS, 1)
        for i in range(len(self.fri_layers)):
            span(f"FRI root {i}", "roots", LeafKind.DIGEST, DIGEST_WORDS, 1)
        span("final polynomial", "final polynomial", LeafKind.ELEMENT, DEGREE, self.final_degree)
        span("query nonce", "nonces", LeafKind.NONCE, NONCE_WORDS, 1)
        return tuple(out)

    @cached_property
    def query(self) -> tuple[Span, ...]:
        """One query's spans, counted from its start."""
        out: list[Span] = []

        def span(path: str, part: str, kind: LeafKind, item: int, count: int) -> None:
            start = out[-1].start + out[-1].length if out else 0
            if count:
                out.append(Span(path, part, kind, start, item * count, item))

        for tree in self.trees:
            for c in tree.classes:
                span(f"{tree.name} row 2^{c.log_height}", "rows", LeafKind.ELEMENT, 1, c.width)
            span(f"{tree.name} path", "paths", LeafKind.DIGEST, DIGEST_WORDS, tree.log_leaves)
        for i, layer in enumerate(self.fri_layers):
            members = 1 << layer.fold.log_arity
            span(f"FRI layer {i} group", "FRI values", LeafKind.ELEMENT, DEGREE, members)
            span(f"FRI layer {i} path", "FRI paths", LeafKind.DIGEST, DIGEST_WORDS, layer.log_leaves)
        return tuple(out)

    @property
    def head_words(self) -> int:
        """Words before the queries."""
        return self.head[-1].start + self.head[-1].length

    @property
    def query_words(self) -> int:
        """Words of one query."""
        return self.query[-1].start + self.query[-1].length

    @property
    def body_words(self) -> int:
        """Words of a proof's body."""
        return self.head_words + self.params.num_queries * self.query_words

    def spans(self) -> list[Span]:
        """Every span of the body, in order."""
        out = list(self.head)
        for q in range(self.params.num_queries):
            base = self.head_words + q * self.query_words
            out += [
                Span(f"query {q}: {s.path}", s.part, s.kind, base + s.start, s.length, s.item)
                for s in self.query
            ]
        return out
