"""A slow, plain interpreter of the machine, and what the other tables (p24, the verifier) would add.

Independent of circuits.machine's executor and of circuits.trace: integers and lists only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from circuits.machine.isa import Opcode
from circuits.relations import CELL_WORD, HASH, PUBLIC, SIG, TREE
from prover.field import P

Word = list[int]
ZERO = [0, 0, 0, 0]


def u64(value: int) -> Word:
    return [value >> 16 * i & 0xFFFF for i in range(4)]


def number(word: Word) -> int:
    assert all(0 <= limb < 1 << 16 for limb in word), word
    return sum(limb << 16 * i for i, limb in enumerate(word))


def fake_hash(items: list[int]) -> list[int]:
    """Any function will do: the HASH relation's other side is a test double."""
    return [(sum((i + 3) ** (k + 1) * x for i, x in enumerate(items)) + 17 * k + 1) % P for k in range(8)]


@dataclass
class MiniRun:
    """The shape of circuits.trace.execution.Execution."""

    pc: np.ndarray
    va: np.ndarray
    vb: np.ndarray
    vc: np.ndarray
    h: np.ndarray
    cell_indices: np.ndarray
    cells_before: np.ndarray
    cells_after: np.ndarray
    outside: list[tuple[object, tuple[int, ...], int]] = field(default_factory=list)


def columns(program: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """As Program.rom_columns()."""
    return tuple(zip(*[(pc, *map(int, row)) for pc, row in enumerate(program)], strict=True))


def run(program, tape=(), cells=None, lies=None) -> MiniRun:
    """Executes; arithmetic wraps silently, so that runs without a valid trace exist to be refused.

    Args:
        lies: step (from 0) -> jump or not, against the rule; or the word that its read of register a returns.
    """
    lies = lies or {}
    before = {i: [list(w) for w in words] for i, words in (cells or {}).items()}
    after = {i: [list(w) for w in words] for i, words in before.items()}
    registers = [list(ZERO) for _ in range(256)]
    tape = [list(w) for w in tape]
    h, pc, log, outside = [0] * 8, 0, [], []
    O = Opcode  # noqa: E741
    while True:
        op, d, a, b, imm0, imm1 = program[pc]
        va = vb = vc = ZERO
        h0 = list(h)
        if op not in (O.LI, O.JMP, O.HINT, O.HINTR, O.HGETL, O.HGETH, O.HALT):
            va = list(lies[len(log)]) if isinstance(lies.get(len(log)), list) else list(registers[a])
        if op in (
            O.ADD,
            O.SUB,
            O.MULDIV,
            O.PACK,
            O.JEQ,
            O.JNE,
            O.JLT,
            O.JGE,
            O.ASSERT,
            O.HSET,
            O.HASH,
            O.SIG,
        ):
            vb = list(registers[b])
        if op in (O.MULDIV, O.STORE, O.HASH, O.SIG):
            vc = list(registers[d])
        jump = op == O.JMP
        if op == O.LI:
            vc = [imm0, imm1, 0, 0]
        elif op == O.MOV:
            vc = va
        elif op == O.ADD:
            vc = u64(number(va) + number(vb))
        elif op == O.SUB:
            vc = u64(number(va) - number(vb))
        elif op == O.MULDIV:
            q, r = divmod(number(va) * number(vb), number(vc) or 1)
            h = u64(q) + u64(r)
        elif op == O.PACK:
            vc = va[:2] + vb[:2]
        elif op == O.LO:
            vc = [*va[:2], 0, 0]
        elif op == O.HI:
            vc = [*va[2:], 0, 0]
        elif op == O.JEQ:
            jump = va == vb
        elif op == O.JNE:
            jump = va != vb
        elif op == O.JLT:
            jump = number(va) < number(vb)
        elif op == O.JGE:
            jump = number(va) >= number(vb)
        elif op == O.ASSERT:
            assert va == vb
        elif op in (O.HINT, O.HINTR):
            vc = tape.pop(0)
        elif op == O.LOAD:
            vc = list(after[va[0] + 65536 * va[1]][imm0])
        elif op == O.STORE:
            after[va[0] + 65536 * va[1]][imm0] = list(vc)
        elif op == O.HSET:
            h = va + vb
        elif op == O.HASH:
            result = fake_hash([imm0, *h, *va, *vb, *vc])
            outside.append((HASH, (imm0, *h, *va, *vb, *vc, *result), -1))
            h = result
        elif op == O.HGETL:
            vc = h[:4]
        elif op == O.HGETH:
            vc = h[4:]
        elif op == O.SIG:
            outside.append((SIG, (*h, *va, *vb, vc[0] + 65536 * vc[1]), -1))
        elif op == O.LEAF:
            outside.append((TREE, (74, va[0] + 65536 * va[1], *[0] * 8, *h), 1))
        elif op == O.OUT:
            outside.append((PUBLIC, (imm0, *va), 1))
        if op in (O.LI, O.MOV, O.ADD, O.SUB, O.PACK, O.LO, O.HI, O.HINT, O.HINTR, O.LOAD, O.HGETL, O.HGETH):
            registers[d] = list(vc)
        if isinstance(lies.get(len(log)), bool):
            jump = lies[len(log)]
        log.append((pc, va, vb, vc, h0))
        if op == O.HALT:
            break
        pc = imm0 if jump else pc + 1
    for index, words in before.items():
        outside += [(CELL_WORD, (index, w, *words[w], *after[index][w]), 1) for w in range(5)]
    array = lambda items: np.array(items, dtype=np.uint32)  # noqa: E731
    k = len(before)
    return MiniRun(
        array([x[0] for x in log]),
        *(array([x[i] for x in log]).T for i in (1, 2, 3, 4)),
        array(list(before)),
        array([before[i] for i in before]).reshape(k, 5, 4),
        array([after[i] for i in before]).reshape(k, 5, 4),
        outside,
    )
