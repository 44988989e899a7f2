"""cpu: a row a step of the machine (docs/machine.md)."""

from __future__ import annotations

from typing import Any

from circuits.machine.isa import (
    EXIT_DEPTH,
    EXIT_LEVEL,
    READS_A,
    READS_B,
    READS_D,
    WRITES_D,
    Opcode,
)
from circuits.relations import ADD, HASH, LESS, LIMBS, MEMORY, MULDIV, PUBLIC, ROM, SIG, TREE
from prover.air.air import Air, AirBuilder, AirError
from prover.air.columns import Columns, column, columns

MAX_LOG_HEIGHT = 20
"""4 clk + 3 < 2^22, the time of drains: the last row is PAD, so clk <= 2^20 - 1 where memory is accessed."""
NUM_FLAGS = len(Opcode) - 1
EQUALITY_JUMPS = (Opcode.JEQ, Opcode.JNE)
ORDER_JUMPS = (Opcode.JLT, Opcode.JGE)
USES_C = READS_D | WRITES_D | {*EQUALITY_JUMPS, *ORDER_JUMPS}


class CpuColumns(Columns):
    """One step. Selectors: exactly one of PAD = 1 - sum(flag) and the 26 flags is 1."""

    clk = column()
    """Step number 1, 2, ..; constrained step by step, so below the height."""
    pc = column()
    """Instruction number. Range: ROM holds it (fetched on every row but PAD)."""
    h = columns(8)
    """Hash state at the start of the step; any elements. MULDIV leaves (q, r) here: bytes by `muldiv`."""
    flag = columns(NUM_FLAGS)
    """flag[i]: the step's opcode is i + 1; boolean. PAD (0) is the complement of their sum."""
    d = column()
    """Register operand d. Range: a byte, from ROM (so are a and b)."""
    a = column()
    """Register operand a."""
    b = column()
    """Register operand b."""
    imm0 = column()
    """Immediate. Range: 16 bits, from ROM (so is imm1)."""
    imm1 = column()
    """Immediate."""
    va = columns(4)
    """Word of register a; 0 if a is not read. From memory."""
    vb = columns(4)
    """Word of register b; 0 if b is not read. From memory."""
    vc = columns(4)
    """Word of register d, read or written; of LOAD and STORE also the cell's word. Range of what is written:
    see AddAir and LIMBS. The jumps, which have no d, keep their witness here: JEQ and JNE inverses x with sum
    x_i (va_i - vb_i) = 1 if va != vb, JLT and JGE the bit va < vb in vc[0]. Else 0."""
    e = column()
    """The step jumps; boolean. 0 for what is no jump."""


class Selectors:
    """A row's selectors by opcode."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getitem__(self, op: Opcode) -> Any:
        if op is Opcode.PAD:
            return 1 - sum(self._row.flag[1:], self._row.flag[0])
        return self._row.flag[op - 1]

    def any(self, *ops: Opcode) -> Any:
        """1 if the row's opcode is one of `ops` (not PAD); in opcode order: the recorded form is fixed."""
        first, *rest = sorted(ops)
        total = self[first]
        for op in rest:
            total = total + self[op]
        return total


class CpuAir(Air):
    """The machine's step. Degree 3.

    Order of rows: row 0 is clk 1, pc 0, h 0 and not PAD; PAD' = PAD + HALT, so a HALT is followed by PAD, PAD
    by PAD, and nothing else is; the last row is PAD. So the program has run from 0 to a HALT, and the table
    holds one step less than its height.

    Tuples that use the following row (h' of HASH and MULDIV) wrap round on the last row: it is PAD,
    multiplicity 0. Multiplicities are sums of selectors, hence 0 or 1.

    What it leaves to the kernel (tests/circuits/tables/test_kernel_discipline.py): PACK, LO, HI copy limbs,
    and LEAF, SIG, LOAD, STORE read them, without ranging them. LOAD and STORE address va0 + 2^16 va1 mod p,
    SIG's leaf likewise: below 2^30 (2^18) only because the tree (the signature) knows no other. Limbs that
    denote p + i < 2^32 therefore mean i: the kernel compares indices and leaves with 2^30 before it uses them.
    """

    name = "cpu"
    Main = CpuColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Flow, results, jumps, hash state, then what the step sends."""
        flags = Selectors(local)
        self._flow(builder, local, following, flags)
        self._operands(builder, local, flags)
        self._jumps(builder, local, flags)
        self._state(builder, local, following, flags)
        self._memory(builder, local, flags)
        self._requests(builder, local, following, flags)

    @staticmethod
    def _flow(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        for op in Opcode:
            builder.assert_bool(flags[op], f"cpu.flag_bool[{op.name}]")
        first, transition = builder.when_first_row(), builder.when_transition()
        first.assert_eq(row.clk, 1, "cpu.first_clk")
        first.assert_zero(row.pc, "cpu.first_pc")
        first.assert_all_eq(row.h, (0,) * 8, "cpu.first_h")
        first.assert_zero(flags[Opcode.PAD], "cpu.first_not_pad")
        builder.when_last_row().assert_eq(flags[Opcode.PAD], 1, "cpu.last_is_pad")
        transition.assert_eq(
            Selectors(nxt)[Opcode.PAD], flags[Opcode.PAD] + flags[Opcode.HALT], "cpu.pad_after_halt"
        )
        transition.assert_eq(nxt.clk, row.clk + 1, "cpu.clk_step")
        transition.assert_eq(nxt.pc, row.pc + 1 + row.e * (row.imm0 - row.pc - 1), "cpu.pc_step")

        op = row.flag[0]
        for i in range(1, NUM_FLAGS):
            op = op + (i + 1) * row.flag[i]
        builder.send(
            ROM,
            [row.pc, op, row.d, row.a, row.b, row.imm0, row.imm1],
            1 - flags[Opcode.PAD],
            "cpu.fetch",
        )

    @staticmethod
    def _operands(builder: AirBuilder, row: Any, flags: Selectors) -> None:
        """Unused operands are 0; results that are copies."""
        zero = (0, 0, 0, 0)
        builder.when(1 - flags.any(*READS_A)).assert_all_eq(row.va, zero, "cpu.unused_va")
        builder.when(1 - flags.any(*READS_B)).assert_all_eq(row.vb, zero, "cpu.unused_vb")
        builder.when(1 - flags.any(*USES_C)).assert_all_eq(row.vc, zero, "cpu.unused_vc")
        va, vb = row.va, row.vb
        copies = {
            Opcode.LI: (row.imm0, row.imm1, 0, 0),
            Opcode.MOV: va,
            Opcode.PACK: (va[0], va[1], vb[0], vb[1]),
            Opcode.LO: (va[0], va[1], 0, 0),
            Opcode.HI: (va[2], va[3], 0, 0),
            Opcode.HGETL: row.h[:4],
            Opcode.HGETH: row.h[4:],
        }
        for op, word in copies.items():
            builder.when(flags[op]).assert_all_eq(row.vc, word, f"cpu.result[{op.name}]")
        builder.when(flags[Opcode.PACK]).assert_all_eq(va[2:] + vb[2:], zero, "cpu.pack_u32")
        builder.when(flags[Opcode.LEAF]).assert_all_eq(va[2:], (0, 0), "cpu.leaf_u32")
        builder.when(flags[Opcode.SIG]).assert_all_eq(row.vc[2:], (0, 0), "cpu.sig_u32")
        builder.when(flags.any(*ORDER_JUMPS)).assert_all_eq(row.vc[1:], (0, 0, 0), "cpu.less_bit_alone")

    @staticmethod
    def _jumps(builder: AirBuilder, row: Any, flags: Selectors) -> None:
        """Bit e is 1 exactly if the step jumps."""
        e = row.e
        jumps = (Opcode.JMP, *EQUALITY_JUMPS, *ORDER_JUMPS)
        builder.assert_bool(e, "cpu.e_bool")
        builder.when(1 - flags.any(*jumps)).assert_zero(e, "cpu.e_unused")
        builder.when(flags[Opcode.JMP]).assert_eq(e, 1, "cpu.jmp_jumps")

        difference = [a - b for a, b in zip(row.va, row.vb, strict=True)]
        jeq, jne = flags[Opcode.JEQ], flags[Opcode.JNE]
        claims_equal = jeq * e + jne * (1 - e) + flags[Opcode.ASSERT]
        builder.when(claims_equal).assert_all_eq(difference, (0, 0, 0, 0), "cpu.equal")
        witness = difference[0] * row.vc[0]
        for i in range(1, 4):
            witness = witness + difference[i] * row.vc[i]
        builder.when(jeq).assert_eq(witness, 1 - e, "cpu.jeq_unequal")
        builder.when(jne).assert_eq(witness, e, "cpu.jne_unequal")

        less = row.vc[0]
        builder.when(flags[Opcode.JLT]).assert_eq(e, less, "cpu.jlt_bit")
        builder.when(flags[Opcode.JGE]).assert_eq(e, 1 - less, "cpu.jge_bit")
        builder.send(LESS, [*row.va, *row.vb, less], flags.any(*ORDER_JUMPS), "cpu.less")

    @staticmethod
    def _state(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        """The hash state stays, unless HSET sets it or HASH and MULDIV look it up."""
        transition = builder.when_transition()
        changes = flags.any(Opcode.HSET, Opcode.HASH, Opcode.MULDIV)
        transition.when(1 - changes).assert_all_eq(nxt.h, row.h, "cpu.h_kept")
        transition.when(flags[Opcode.HSET]).assert_all_eq(nxt.h, row.va + row.vb, "cpu.h_set")

    @staticmethod
    def _memory(builder: AirBuilder, row: Any, flags: Selectors) -> None:
        """Accesses A, B, cell, C at times 4 clk + 0, 1, 2, 3. A tuple: segment, hi, lo, ts, value, kind."""
        ts = 4 * row.clk
        builder.send(MEMORY, [0, 0, row.a, ts, *row.va, 0], flags.any(*READS_A), "cpu.read_a")
        builder.send(MEMORY, [0, 0, row.b, ts + 1, *row.vb, 0], flags.any(*READS_B), "cpu.read_b")
        index, store = row.va[0] + 65536 * row.va[1], flags[Opcode.STORE]
        builder.send(
            MEMORY,
            [1, index, row.imm0, ts + 2, *row.vc, store],
            flags[Opcode.LOAD] + store,
            "cpu.cell",
        )
        written = flags.any(*WRITES_D)
        builder.send(
            MEMORY, [0, 0, row.d, ts + 3, *row.vc, written], flags.any(*READS_D, *WRITES_D), "cpu.register_d"
        )

    @staticmethod
    def _requests(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        """Arithmetic, ranges, hashes, signatures, exits, public words."""
        va, vb, vc, h = row.va, row.vb, row.vc, row.h
        builder.send(ADD, [*vb, *va, *vc, 0], flags[Opcode.ADD], "cpu.add")
        builder.send(ADD, [*vb, *vc, *va, 0], flags[Opcode.SUB], "cpu.sub")
        builder.send(MULDIV, [*va, *vb, *vc, *nxt.h], flags[Opcode.MULDIV], "cpu.muldiv")
        builder.send(LIMBS, vc, flags[Opcode.HINT], "cpu.hint_range")
        builder.send(HASH, [row.imm0, *h, *va, *vb, *vc, *nxt.h], flags[Opcode.HASH], "cpu.hash")
        builder.send(SIG, [*h, *va, *vb, vc[0] + 65536 * vc[1]], flags[Opcode.SIG], "cpu.sig")
        exit_index = va[0] + 65536 * va[1]
        builder.receive(
            TREE, [EXIT_LEVEL + EXIT_DEPTH, exit_index, *(0,) * 8, *h], flags[Opcode.LEAF], "cpu.leaf"
        )
        builder.receive(PUBLIC, [row.imm0, *va], flags[Opcode.OUT], "cpu.out")

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """None; but the height is bounded.

        Raises:
            AirError: times would reach those of drains.
        """
        if log_height > MAX_LOG_HEIGHT:
            raise AirError(f"cpu: height 2^{log_height} exceeds 2^{MAX_LOG_HEIGHT}")
        return super().fixed_columns(log_height)
