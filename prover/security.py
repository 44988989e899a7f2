"""Soundness, term by term: bits of the error of every round, with the theorem each rests on.

Two regimes: UDR (unique decoding) and JBR (list decoding up to the Johnson bound). A round's bits are
-log2(error) plus its grinding; the level proven is the minimum over the rounds. Nothing rests on conjectures.

Notation: F = size of the challenge field, k = rows of the tallest table, n = k / rate, e = error of a random
line (per degree), theta = proximity radius, L = list size.

Source: proof-system.md; Ben-Sasson, Carmon, Ishai, Kopparty, Saraf (eprint 2020/654, UDR); eprint 2025/2055
(JBR); Habock (eprint 2022/1530, LogUp); the formulas agree with ethereum/soundcalc @809896fb
(tests/vectors/soundcalc/levels.json).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from prover.field import EXTENSION_SIZE
from prover.params import ProofParams

HASH_BITS = 128.0
"""Collision resistance of a 32-byte digest."""


class Regime(StrEnum):
    """Which proximity bound a level rests on."""

    UDR = "UDR"
    JBR = "JBR"


@dataclass(frozen=True)
class FoldRound:
    """One FRI commit round, from 2^log_size points; `joins`: a shorter codeword enters after the fold."""

    log_size: int
    log_arity: int
    joins: bool = False


@dataclass(frozen=True)
class SecurityFigures:
    """The numbers of a shape that soundness depends on.

    Attributes:
        log_heights: distinct log heights, tallest first.
        batch_size: functions batched with powers of gamma ((column, point) pairs).
        num_constraints: constraints batched with powers of alpha.
        rounds: the FRI rounds.
        lookup_fractions: sum over tables of height x interactions, and the public tuples; 0 without lookups.
        lookup_arity: largest power of beta_lu in a fingerprint.
        max_degree: degree of the constraints.
        opened_points: points at which a column is opened.
        field_size: size of the challenge field.
        gap: eta, where it is not to be chosen by the rule.
        round_grinding_bits, deep_grinding_bits, lookup_grinding_bits: work before those challenges (0 in
            pegproof).
    """

    log_heights: tuple[int, ...]
    batch_size: int
    num_constraints: int
    rounds: tuple[FoldRound, ...]
    lookup_fractions: int = 0
    lookup_arity: int = 0
    max_degree: int = 3
    opened_points: int = 2
    field_size: float = float(EXTENSION_SIZE)
    gap: float | None = None
    round_grinding_bits: int = 0
    deep_grinding_bits: int = 0
    lookup_grinding_bits: int = 0


@dataclass(frozen=True)
class Term:
    """One round's soundness.

    Attributes:
        name: the round.
        bits: -log2 of its error, grinding included.
        grinding_bits: the part of `bits` that is work.
        source: the theorem it rests on.
    """

    name: str
    bits: float
    grinding_bits: int
    source: str


@dataclass(frozen=True)
class StatementLine:
    """A bound on the statement, not on its proof (a hash inside the circuit); not part of `proven_bits`."""

    bits: float
    reason: str


@dataclass(frozen=True)
class Report:
    """Every term under one regime.

    Attributes:
        terms: the rounds in protocol order.
        regime: the regime of these figures.
        proximity: theta.
        list_size: L.
        statement: printed beside, not part of `proven_bits`.
    """

    terms: tuple[Term, ...]
    regime: Regime
    proximity: float
    list_size: float
    statement: StatementLine | None = None

    @property
    def proven_bits(self) -> float:
        """The minimum over all terms."""
        return min(term.bits for term in self.terms)

    def __getitem__(self, name: str) -> Term:
        return next(term for term in self.terms if term.name == name)

    def __str__(self) -> str:
        lines = [f"{t.name:<16}{t.bits:8.2f}  {t.source}" for t in self.terms]
        lines.append(f"{'proven (' + self.regime + ')':<16}{self.proven_bits:8.2f}  minimum of the above")
        if self.statement:
            lines.append(f"{'statement':<16}{self.statement.bits:8.2f}  {self.statement.reason}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Proximity:
    """A regime's radius, list size and line error e = per_point * n + constant, over F."""

    theta: float
    list_size: float
    per_point: float
    constant: float

    def error(self, size: float) -> float:
        """F * e for a codeword of `size` points."""
        return self.per_point * size + self.constant


def _unique(rate: float) -> _Proximity:
    theta = (1 - rate) / 2
    return _Proximity(theta, 1.0, theta, 1.0)


def _johnson(rate: float, field_size: float, gap: float | None) -> _Proximity:
    root = math.sqrt(rate)
    eta = root / 100 if field_size > 2**150 else max(rate / 20, root / 100)
    if gap is not None:
        eta = gap
    theta = 1 - root - eta
    eta = 1 - root - theta  # as soundcalc rounds it: m may be one higher than the exact quotient's ceiling
    m = max(math.ceil(root / (2 * eta)), 3) + 0.5
    per_point = (2 * m**5 + 3 * m * theta * rate) / (3 * rate**1.5)
    return _Proximity(theta, 1 / (2 * eta * root), per_point, m / root)


_LINE = {
    Regime.UDR: "correlated agreement, unique decoding (eprint 2020/654, theorem 4.1)",
    Regime.JBR: "correlated agreement up to the Johnson bound (eprint 2025/2055)",
}


def report(
    params: ProofParams, figures: SecurityFigures, regime: Regime, statement: StatementLine | None = None
) -> Report:
    """Every term under `regime`."""
    rate = 1 / params.blowup
    f = figures.field_size
    near = _unique(rate) if regime is Regime.UDR else _johnson(rate, f, figures.gap)
    heights = [2.0**log for log in figures.log_heights]
    terms: list[Term] = []

    def term(name: str, error: float, grinding: int, source: str) -> None:
        terms.append(Term(name, -math.log2(error) + grinding, grinding, source))

    if figures.lookup_fractions:
        term(
            "logup",
            figures.lookup_fractions * figures.lookup_arity / f,
            figures.lookup_grinding_bits,
            "Schwartz-Zippel on the sum of fractions (eprint 2022/1530)",
        )
        # One draw decides both: the sum of a false main trace cancels, or one of its fingerprints is zero,
        # which leaves an interaction column free. Before it the prover is bound to one of L main traces, not
        # to one; all heights together are one interleaved word (x -> x^r lifts them to the tallest domain).
        term(
            "logup round",
            2 * near.list_size * figures.lookup_fractions * figures.lookup_arity / f,
            figures.lookup_grinding_bits,
            "the sum or a pole (Schwartz-Zippel, eprint 2022/1530), list of L",
        )
    term(
        "ALI", near.list_size * figures.num_constraints / f, 0, "powers of alpha, list of L (eprint 2021/582)"
    )
    c, d = figures.opened_points, figures.max_degree
    deep = sum(d * (k + c - 1) + k - 1 for k in heights)
    excluded = sum(k + k / rate for k in heights)
    term(
        "DEEP",
        near.list_size * deep / (f - excluded),
        figures.deep_grinding_bits,
        "out-of-domain sampling (eprint 2019/336, 2021/582)",
    )
    term(
        "batching",
        sum(near.error(k / rate) for k in heights) * (figures.batch_size - 1) / f,
        params.batching_grinding_bits,
        _LINE[regime] + ", powers of gamma, summed over heights",
    )
    for i, fold in enumerate(figures.rounds, 1):
        # A joining codeword enters with beta^arity: one power more than the fold itself has.
        degree = (1 << fold.log_arity) - (0 if fold.joins else 1)
        size = 2.0 ** (fold.log_size - fold.log_arity)
        term(
            f"FRI round {i}",
            degree * near.error(size) / f,
            figures.round_grinding_bits,
            _LINE[regime] + ", powers of beta",
        )
    terms.append(
        Term(
            "queries",
            -params.num_queries * math.log2(1 - near.theta) + params.query_grinding_bits,
            params.query_grinding_bits,
            "(1 - theta)^queries",
        )
    )
    terms.append(Term("hash", HASH_BITS, 0, "collisions of a 256-bit digest (BLAKE3)"))
    return Report(tuple(terms), regime, near.theta, near.list_size, statement)


def security(params: ProofParams, figures: SecurityFigures, statement: StatementLine | None = None) -> Report:
    """The report under the regime that proves more; `report` gives the other."""
    both = (report(params, figures, regime, statement) for regime in (Regime.JBR, Regime.UDR))
    return max(both, key=lambda r: r.proven_bits)
