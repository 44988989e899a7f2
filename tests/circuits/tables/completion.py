"""The tables that follow from cpu, cells and code: every request that is true is answered, whoever makes it.

So a mutated cpu row is all that is wrong with a trace: memory holds exactly the accesses that were sent (in
order, with the distances that it takes), sums and divisions are there if they are true, multiplicities are
what was asked for, and the doubles of p24, p16 and the verifier give what is asked of them (hashes of code
only if they are true).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from circuits.tables.add import AddColumns
from circuits.tables.code import CodeColumns
from circuits.tables.muldiv import MulDivColumns
from circuits.tables.range import RangeColumns
from circuits.tables.word import WordColumns
from circuits.tags import TAG_CODE
from circuits.trace import memory, muldiv
from circuits.trace.execution import to_bytes
from prover.field import P
from prover.poseidon2 import compress
from tests.circuits.tables import rowcheck

DOUBLES = ("hash", "sig", "tree", "public", "cell_word")
U64 = 1 << 64


def complete(airs, tables) -> dict:
    """Fills all tables but cpu, cells and code (its multiplicities too), in place; returns the doubles' side."""
    requests = _requests(airs, tables, ("cpu", "cells", "code"))
    _fetches(airs, tables, requests)
    accesses = np.array([t for t, m in requests["memory"].items() for _ in range(_count(m))], dtype=np.int64)
    tables["memory"][:] = memory.generate(accesses.T, tables["memory"].shape[1])
    divisions = _muldiv(tables["muldiv"], requests["muldiv"])
    _count_into(divisions, requests)
    _add(tables["add"], requests)
    _words(tables, _requests(airs, tables, ("cpu", "code", "add", "muldiv")))
    asked = _requests(airs, tables, ("memory", "cells", "word"))
    row = RangeColumns(list(tables["range"]))
    for column, name, place in ((row.mult16, "range16", lambda t: t[0]), (row.mult_pair, "pair", _pair)):
        column[:] = 0
        for item, m in asked[name].items():
            if place(item) < 1 << 16:
                column[place(item)] = m % P
    return {
        (name, item): -m % P
        for name in DOUBLES
        for item, m in requests[name].items()
        if name != "hash" or item[0] != TAG_CODE or compress(24, item[:21], 8) == item[21:]
    }


def _pair(item):
    return item[0] * 256 + item[1] if max(item) < 256 else P


def _count(m: int) -> int:
    return m if m < 1 << 16 else 0


def _requests(airs, tables, names) -> dict[str, dict]:
    found: dict[str, dict] = defaultdict(dict)
    for name in names:
        data = rowcheck.columns_of(airs[name], tables[name])
        for (relation, item), m in rowcheck.contributions(airs[name], data).items():
            total = (found[relation].get(item, 0) + m) % P
            found[relation][item] = total
    return found


def _fetches(airs, tables, requests) -> None:
    """Multiplicities of rom and code, from what cpu sends."""
    asked = _requests(airs, tables, ("cpu",))
    rows = {item: pc for pc, item in enumerate(airs["rom"].program)}
    tables["rom"][0] = 0
    for item, m in asked["rom"].items():
        if item in rows:
            tables["rom"][0, rows[item]] = m % P
    code = CodeColumns(list(tables["code"]))
    code.mult[:] = 0
    for k in range(code.mult.size):
        if code.is_code[k]:
            fields = (code.listing, code.pc, code.op, code.d, code.a, code.b, code.imm0, code.imm1)
            code.mult[k] = asked["code"].get(tuple(int(f[k]) for f in fields), 0) % P
        else:
            item = (int(code.listing[k]), *(int(h[k]) for h in code.h))
            code.mult[k] = asked["program"].get(item, 0) % P


def _numbers(item, count):
    words = [item[4 * i : 4 * i + 4] for i in range(count)]
    if max(item[: 4 * count]) >= 1 << 16:
        return None
    return [sum(limb << 16 * i for i, limb in enumerate(word)) for word in words]


def _muldiv(table, requests) -> list:
    """True divisions, then padding; returns the rows' (r, c, fail)."""
    table[:] = 0
    table[MulDivColumns.c.start] = 1
    k, rows = 0, []
    for item, m in requests.items():
        values = _numbers(item, 5)
        if values is None or item[20] not in (0, 1):
            continue
        a, b, c, q, r = values
        fail = item[20]
        if (fail and (a * b != q + U64 * r or r < c)) or (not fail and (a * b != q * c + r or r >= c)):
            continue
        columns = [to_bytes(np.array([v], dtype=np.uint64)) for v in values]
        table[:40, k] = np.concatenate(columns)[:, 0]
        carry = muldiv.carries(*columns, np.array([fail]))[:, 0]
        table[40 : 40 + 8, k] = [fail, *(carry % P)]
        table[MulDivColumns.mult.start, k] = m % P
        k += 1
    row = MulDivColumns(list(table.astype(np.int64)))
    for i in range(table.shape[1]):
        pack = [[int(w[2 * j][i]) + 256 * int(w[2 * j + 1][i]) for j in range(4)] for w in (row.r, row.c)]
        rows.append((*pack[0], *pack[1], 1 - int(row.fail[i])))
    return rows


def _count_into(rows, requests) -> None:
    for item in rows:
        requests["less"][item] = (requests["less"].get(item, 0) + 1) % P


def _add(table, requests) -> None:
    """True sums and comparisons."""
    table[:] = 0
    row, k = AddColumns(list(table)), 0
    wanted = [(item, m, "add") for item, m in requests["add"].items()]
    wanted += [(item, m, "less") for item, m in requests["less"].items()]
    for item, m, relation in wanted:
        values = _numbers(item, 3 if relation == "add" else 2)
        if values is None or m == 0:
            continue
        if relation == "add":
            x, y, z = values
            bit = item[12]
        else:
            z, x = values
            y, bit = (z - x) % U64, item[8]
        if x + y != z + U64 * bit:
            continue
        carry = 0
        limbs = [[v >> 16 * i & 0xFFFF for i in range(4)] for v in (x, y, z)]
        for i, flag in enumerate((row.c0, row.c1, row.c2, row.carry)):
            for target, word in zip((row.x, row.y, row.z), limbs, strict=True):
                target[i][k] = word[i]
            carry = (limbs[0][i] + limbs[1][i] + carry) >> 16
            flag[k] = carry
        (row.mult_add if relation == "add" else row.mult_less)[k] = m % P
        k += 1


def _words(tables, requests) -> None:
    """Words asked for by LIMBS and BYTES."""
    table = tables["word"]
    table[:] = 0
    row, places = WordColumns(list(table)), {}
    for name, column in (("limbs", row.mult_limbs), ("bytes", row.mult_bytes)):
        for item, m in requests[name].items():
            if max(item) >= (1 << 16 if name == "limbs" else 256) or m == 0:
                continue
            octets = [b for x in item for b in (x & 255, x >> 8)] if name == "limbs" else list(item)
            k = places.setdefault(tuple(octets), len(places))
            table[:8, k] = octets
            column[k] = m % P
