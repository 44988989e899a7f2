"""Checks tables row by row: which labelled constraints fail, which tuples do not balance."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from prover.air.air import Air, Rows
from prover.air.expression import Op, Space
from prover.field import P

SPACES = {Space.MAIN: "main", Space.PREPROCESSED: "fixed", Space.PERIODIC: "periodic"}


def columns_of(air: Air, table: np.ndarray) -> dict:
    height = table.shape[1]
    fixed = air.fixed_columns(height.bit_length() - 1) if air.Fixed.width else []
    return {
        "main": table.astype(np.int64),
        "fixed": np.array(fixed, dtype=np.int64).reshape(-1, height),
        "periodic": [np.array(values, dtype=np.int64) for values in air.periodic.values()],
    }


def evaluate(expression, data, rows, memo):
    """Values of an expression on `rows`."""
    key = id(expression)
    if key not in memo:
        if expression.op is Op.CONST:
            value = np.full(rows.size, expression.value, dtype=np.int64)
        elif expression.op is Op.VARIABLE:
            source = data[SPACES[expression.space]][expression.index]
            value = source[(rows + expression.offset) % source.size]
        else:
            left = evaluate(expression.left, data, rows, memo)
            right = evaluate(expression.right, data, rows, memo)
            value = {Op.ADD: np.add, Op.SUB: np.subtract, Op.MUL: np.multiply}[expression.op](left, right) % P
        memo[key] = value
    return memo[key]


def violations(air: Air, data: dict, rows=None) -> dict[str, list[int]]:
    """Label -> rows on which the constraint fails."""
    height = data["main"].shape[1]
    rows = np.arange(height) if rows is None else np.unique(np.asarray(rows) % height)
    memo: dict = {}
    found = {}
    for constraint in air.record.constraints:
        bad = evaluate(constraint.expression, data, rows, memo) != 0
        if constraint.rows is Rows.FIRST:
            bad &= rows == 0
        elif constraint.rows is Rows.LAST:
            bad &= rows == height - 1
        elif constraint.rows is Rows.TRANSITION:
            bad &= rows != height - 1
        if bad.any():
            found[constraint.label] = rows[bad].tolist()
    return found


def contributions(air: Air, data: dict, rows=None) -> dict:
    """(relation, tuple) -> multiplicity that the rows add, mod p."""
    height = data["main"].shape[1]
    rows = np.arange(height) if rows is None else np.unique(np.asarray(rows) % height)
    memo: dict = {}
    total: dict = defaultdict(int)
    for interaction in air.record.interactions:
        multiplicity = evaluate(interaction.multiplicity, data, rows, memo)
        at = np.flatnonzero(multiplicity)
        if not at.size:
            continue
        values = [evaluate(value, data, rows, memo)[at].tolist() for value in interaction.values]
        name = interaction.relation.name
        for m, item in zip(multiplicity[at].tolist(), zip(*values, strict=True), strict=True):
            total[name, item] = (total[name, item] + m) % P
    return total


def merge(*parts) -> dict:
    """Sum of contributions; what is left over is unbalanced."""
    total: dict = defaultdict(int)
    for part in parts:
        for key, m in part.items():
            total[key] = (total[key] + m) % P
    return {key: m for key, m in total.items() if m}


def outside(run) -> dict:
    """The test doubles' side."""
    total: dict = defaultdict(int)
    for relation, item, m in run.outside:
        total[relation.name, tuple(int(x) % P for x in item)] += m
    return total
