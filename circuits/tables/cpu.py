"""cpu: a row a step of the machine (docs/machine.md)."""

from __future__ import annotations

from typing import Any

from circuits.machine.isa import (
    EXIT_DEPTH,
    EXIT_LEVEL,
    FAULT_PC,
    FAULTING,
    MULDIV_GAS,
    READS_A,
    READS_B,
    READS_D,
    STEP_GAS,
    TRAP_PC,
    USER_A,
    USER_D,
    USER_OPCODES,
    WRITES_D,
    Opcode,
)
from circuits.relations import (
    ADD,
    CODE,
    HASH,
    LESS,
    LIMBS,
    MEMORY,
    MULDIV,
    PROGRAM,
    PUBLIC,
    ROM,
    SIG,
    TREE,
)
from prover.air.air import Air, AirBuilder, AirError
from prover.air.columns import Columns, column, columns
from prover.air.expression import lift

MAX_LOG_HEIGHT = 16
"""clk < 2^16 where a SPACE runs (the last row is PAD), as `cells` has it; 4 clk + 3 < 2^18, the time of drains;
gas does not wrap (CpuAir)."""
NUM_FLAGS = len(Opcode) - 1
FIRST_FRAME = 1
"""Frame 0 is the kernel's."""
EQUALITY_JUMPS = (Opcode.JEQ, Opcode.JNE)
ORDER_JUMPS = (Opcode.JLT, Opcode.JGE)
USES_C = READS_D | WRITES_D | {*EQUALITY_JUMPS, *ORDER_JUMPS}


class CpuColumns(Columns):
    """One step. Selectors: exactly one of pad and the 38 flags is 1."""

    clk = column()
    """Step number 1, 2, ..; constrained step by step, so below the height."""
    pc = column()
    """Instruction number. Range: ROM or CODE holds it (fetched on every row but PAD and TRAP)."""
    h = columns(8)
    """Hash state at the start of the step; any elements. MULDIV leaves (q, r) here: bytes by `muldiv`."""
    flag = columns(NUM_FLAGS)
    """flag[i]: the step's opcode is i + 1; boolean."""
    pad = column()
    """The opcode is PAD, 0: no step. Boolean (CpuAir)."""
    op = column()
    """The opcode, sum of (i + 1) flag[i]: what is fetched, in one value."""
    d = column()
    """Register operand d. Range: a byte, from ROM or CODE (so are a and b)."""
    a = column()
    """Register operand a."""
    b = column()
    """Register operand b."""
    imm0 = column()
    """Immediate. Range: 16 bits, from ROM or CODE (so is imm1)."""
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
    """The step jumps to imm0; boolean. 0 for what is no jump; SYS is one."""
    user = column()
    """1 in user mode, where instructions come from CODE; boolean."""
    saved_pc = column()
    """Where the user resumes: pc + 1 of the last SYS. 0 before."""
    program = column()
    """Number of the listing that the last ENTER started; chosen there, bound to the code's hash by PROGRAM."""
    uframe = column()
    """Number of the user's register file: 1 + the FRAMEs before this step; so 1 .. 2^16."""
    frame_a = column()
    """Register file of operands a and b: uframe in user mode (and of a in ENTRY and UGET), 0 in the kernel."""
    frame_d = column()
    """Register file of operand d: uframe in user mode and in UPUT, else 0."""
    space = column()
    """0, or the clk of the SPACE that opened the shadow which cell accesses go to; < 2^16."""
    gas = column()
    """Gas counted before this step, as an integer below p (CpuAir)."""
    fault = column()
    """A user's ADD, SUB or MULDIV overflows. Boolean, since `add` and `muldiv` know no other; else 0."""


class Selectors:
    """A row's selectors by opcode."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getitem__(self, op: Opcode) -> Any:
        return self._row.pad if op is Opcode.PAD else self._row.flag[op - 1]

    def any(self, *ops: Opcode) -> Any:
        """1 if the row's opcode is one of `ops` (not PAD); in opcode order: the recorded form is fixed."""
        first, *rest = sorted(ops)
        total = self[first]
        for op in rest:
            total = total + self[op]
        return total


class CpuAir(Air):
    """The machine's step. Degree 3.

    Order of rows: row 0 is clk 1, pc 0, h 0, kernel mode and not PAD; pad' = pad + HALT; the last row is PAD. Since
    HALT is boolean, pad counts the HALTs before a row, up to 1 on the last row: it is boolean, there is one HALT,
    PAD rows follow it and nothing else. So the program has run from 0 to a HALT, and the table holds one step
    less than its height.

    Tuples that use the following row (h' of HASH and MULDIV) wrap round on the last row: it is PAD,
    multiplicity 0. Multiplicities are sums of selectors, hence 0 or 1.

    Modes. The kernel's rows fetch from ROM, the user's from CODE, never both. user' = user + 1 at SRET, ENTER and
    - 1 at SYS, TRAP and a fault; as user is boolean, SYS, TRAP and faults (fault = 1) exist in user mode only, and
    user_opcodes leaves the user nothing but its own instructions and TRAP: no hint, no cell, no signature, no
    output, no HALT. So the only ways from a program into ROM are the fixed addresses 1 (TRAP) and 2 (fault), and
    SYS k, whose following row is an ENTRY at ROM address k; ENTRY follows SYS alone, on the ring as well (the
    last row is PAD), so no kernel code falls into one. The only ways into a program are pc 0 of the listing that
    ENTER sends with the hash state as its code hash, and SRET, to the place after the last SYS in the last
    program entered. A pc that the listing does not hold has nothing to fetch.

    Registers. User rows, and ENTRY, UGET, UPUT, name file uframe >= 1; all else file 0. FRAME alone changes
    uframe, by one, up to 2^16 at most: a file once left is never named again, and a new one reads 0 at first
    (`memory`). A fault writes its d (the low half of the sum or difference) into the user's file only. h is 0 at
    the user's first row after ENTER and SRET: the kernel's states are not seen.

    Gas is a field element. ENTRY adds at most 65,535, and SYS, ENTRY and whatever leads back to the user are three
    rows at least: within 2^16 rows it gains at most 2^16 (65,535 + 10) / 3 + 70 * 2^16 < p - 2^29. So if GASSET sets
    less than 2^29, gas is an integer. GAS yields four limbs that denote gas or gas + p: **the kernel compares the
    word with 2^30** before its use.

    TRAP has no condition here: the prover may trap a user at any step. **The kernel goes on from address 1 only
    if gas exceeds the limit**, which no step of the user's can undo, so that the outcome is the same wherever the
    trap was; gas counts the TRAP's row like the instruction that it replaces.

    Space. LOAD and STORE access segment 1 + space; space is 0 or the clk of the last SPACE, so a shadow is opened
    once and no other step can enter it again. That SPACE 1 is run exactly for a transaction that fails, and SPACE
    0 after it, is the kernel's rule.

    What it leaves to the kernel (tests/circuits/tables/test_kernel_discipline.py): PACK, LO, HI, UGET, UPUT copy
    limbs, and LEAF, SIG, LOAD, STORE read them, without ranging them (so UPUT gives a user u64 words only). LOAD and
    STORE address va0 + 2^16 va1 mod p, SIG's leaf likewise: below 2^30 (2^18) only because the tree (the signature)
    knows no other. Limbs that denote p + i < 2^32 therefore mean i: the kernel compares indices and leaves with
    2^30 before it uses them, the halves of HWORD with p. FRAME before each ENTER; SRET only on the way back from an
    ENTRY.
    """

    name = "cpu"
    Main = CpuColumns

    def eval(self, builder: AirBuilder, local: Any, following: Any) -> None:
        """Flow, modes, results, jumps, hash state, then what the step sends."""
        flags = Selectors(local)
        self._flow(builder, local, following, flags)
        self._modes(builder, local, following, flags)
        self._counters(builder, local, following, flags)
        self._operands(builder, local, flags)
        self._jumps(builder, local, flags)
        self._state(builder, local, following, flags)
        self._memory(builder, local, flags)
        self._requests(builder, local, following, flags)

    @staticmethod
    def _flow(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        total, number = row.pad, lift(0)
        for op in Opcode:
            if op is not Opcode.PAD:
                builder.assert_bool(flags[op], f"cpu.flag_bool[{op.name}]")
                total, number = total + flags[op], number + int(op) * flags[op]
        builder.assert_eq(total, 1, "cpu.one_selector")
        builder.assert_eq(row.op, number, "cpu.op")
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
        targets = (
            (row.e, row.imm0),
            (flags[Opcode.ENTRY], row.imm1),
            (flags[Opcode.SRET], row.saved_pc),
            (flags[Opcode.ENTER], 0),
            (flags[Opcode.TRAP], TRAP_PC),
            (row.fault, FAULT_PC),
        )
        following_pc = row.pc + 1
        for goes, target in targets:  # at most one of them is 1
            following_pc = following_pc + goes * (target - (row.pc + 1))
        transition.assert_eq(nxt.pc, following_pc, "cpu.pc_step")

        instruction = (row.pc, row.op, row.d, row.a, row.b, row.imm0, row.imm1)
        builder.send(ROM, instruction, 1 - flags[Opcode.PAD] - row.user, "cpu.fetch_rom")
        builder.send(CODE, [row.program, *instruction], row.user - flags[Opcode.TRAP], "cpu.fetch_code")

    @staticmethod
    def _modes(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        """Who runs: mode, faults, the place to resume, the program."""
        transition, fault = builder.when_transition(), row.fault
        builder.assert_bool(row.user, "cpu.user_bool")
        builder.when_first_row().assert_zero(row.user, "cpu.first_user")
        gains = flags[Opcode.SRET] + flags[Opcode.ENTER]
        loses = flags[Opcode.SYS] + flags[Opcode.TRAP] + fault
        transition.assert_eq(nxt.user, row.user + gains - loses, "cpu.user_step")
        allowed = flags.any(*USER_OPCODES, Opcode.TRAP)
        builder.when(row.user).assert_eq(allowed, 1, "cpu.user_opcodes")
        builder.assert_eq(Selectors(nxt)[Opcode.ENTRY], flags[Opcode.SYS], "cpu.entry_after_sys")
        builder.when(1 - flags.any(*FAULTING)).assert_zero(fault, "cpu.fault_unused")

        builder.when_first_row().assert_zero(row.saved_pc, "cpu.first_saved_pc")
        saved = flags[Opcode.SYS] * (row.pc + 1 - row.saved_pc)
        transition.assert_eq(nxt.saved_pc, row.saved_pc + saved, "cpu.saved_pc_step")
        builder.when_first_row().assert_zero(row.program, "cpu.first_program")
        kept = transition.when(1 - flags[Opcode.ENTER])
        kept.assert_eq(nxt.program, row.program, "cpu.program_kept")
        builder.send(PROGRAM, [nxt.program, *row.h], flags[Opcode.ENTER], "cpu.program")

    @staticmethod
    def _counters(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        """Register files, space, gas."""
        first, transition = builder.when_first_row(), builder.when_transition()
        first.assert_eq(row.uframe, FIRST_FRAME, "cpu.first_uframe")
        transition.assert_eq(nxt.uframe, row.uframe + flags[Opcode.FRAME], "cpu.uframe_step")
        builder.assert_eq(row.frame_a, (row.user + flags.any(*USER_A)) * row.uframe, "cpu.frame_a")
        builder.assert_eq(row.frame_d, (row.user + flags.any(*USER_D)) * row.uframe, "cpu.frame_d")

        opens, flag = flags[Opcode.SPACE], row.va[0]
        first.assert_zero(row.space, "cpu.first_space")
        builder.when(opens).assert_bool(flag, "cpu.space_bool")
        transition.assert_eq(nxt.space, row.space + opens * (flag * row.clk - row.space), "cpu.space_step")

        given = row.va[0] + 65536 * row.va[1]
        spent = row.user * (STEP_GAS + MULDIV_GAS * flags[Opcode.MULDIV]) + flags[Opcode.ENTRY] * row.imm0
        first.assert_zero(row.gas, "cpu.first_gas")
        transition.assert_eq(
            nxt.gas, row.gas + spent + flags[Opcode.GASSET] * (given - row.gas), "cpu.gas_step"
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
            Opcode.PACK: (va[0], va[1], vb[0], vb[1]),
            Opcode.LO: (va[0], va[1], 0, 0),
            Opcode.HI: (va[2], va[3], 0, 0),
            Opcode.HGETL: row.h[:4],
            Opcode.HGETH: row.h[4:],
        }
        moves = flags.any(Opcode.MOV, Opcode.ENTRY, Opcode.UGET, Opcode.UPUT)
        builder.when(moves).assert_all_eq(row.vc, va, "cpu.result[MOV]")
        for op, word in copies.items():
            builder.when(flags[op]).assert_all_eq(row.vc, word, f"cpu.result[{op.name}]")
        gas, hword = builder.when(flags[Opcode.GAS]), builder.when(flags[Opcode.HWORD])
        low, high = row.vc[0] + 65536 * row.vc[1], row.vc[2] + 65536 * row.vc[3]
        gas.assert_all_eq((low, *row.vc[2:]), (row.gas, 0, 0), "cpu.result[GAS]")
        hword.assert_all_eq((low, high), row.h[:2], "cpu.result[HWORD]")
        kernel_pack = builder.when(flags[Opcode.PACK] * (1 - row.user))
        kernel_pack.assert_all_eq(va[2:] + vb[2:], zero, "cpu.pack_u32")
        builder.when(flags[Opcode.LEAF]).assert_all_eq(va[2:], (0, 0), "cpu.leaf_u32")
        builder.when(flags[Opcode.SIG]).assert_all_eq(row.vc[2:], (0, 0), "cpu.sig_u32")
        builder.when(flags.any(*ORDER_JUMPS)).assert_all_eq(row.vc[1:], (0, 0, 0), "cpu.less_bit_alone")

    @staticmethod
    def _jumps(builder: AirBuilder, row: Any, flags: Selectors) -> None:
        """Bit e is 1 exactly if the step jumps."""
        e = row.e
        always = (Opcode.JMP, Opcode.SYS)
        jumps = (*always, *EQUALITY_JUMPS, *ORDER_JUMPS)
        builder.assert_bool(e, "cpu.e_bool")
        builder.when(1 - flags.any(*jumps)).assert_zero(e, "cpu.e_unused")
        builder.when(flags.any(*always)).assert_eq(e, 1, "cpu.jmp_jumps")

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
        """The hash state stays, unless HSET sets it or HASH and MULDIV look it up; user mode begins with 0."""
        transition = builder.when_transition()
        sets = flags.any(Opcode.HSET, Opcode.SRET, Opcode.ENTER)  # SRET and ENTER have va = vb = 0
        changes = sets + flags.any(Opcode.HASH, Opcode.MULDIV)
        transition.when(1 - changes).assert_all_eq(nxt.h, row.h, "cpu.h_kept")
        transition.when(sets).assert_all_eq(nxt.h, row.va + row.vb, "cpu.h_set")

    @staticmethod
    def _memory(builder: AirBuilder, row: Any, flags: Selectors) -> None:
        """Accesses A, B, cell, C at times 4 clk + 0, 1, 2, 3. A tuple: segment, hi, lo, ts, value, kind."""
        ts = 4 * row.clk
        builder.send(MEMORY, [0, row.frame_a, row.a, ts, *row.va, 0], flags.any(*READS_A), "cpu.read_a")
        builder.send(MEMORY, [0, row.frame_a, row.b, ts + 1, *row.vb, 0], flags.any(*READS_B), "cpu.read_b")
        index, store = row.va[0] + 65536 * row.va[1], flags[Opcode.STORE]
        builder.send(
            MEMORY,
            [1 + row.space, index, row.imm0, ts + 2, *row.vc, store],
            flags[Opcode.LOAD] + store,
            "cpu.cell",
        )
        written = flags.any(*WRITES_D)
        register = (0, row.frame_d, row.d, ts + 3, *row.vc, written)
        builder.send(MEMORY, register, flags.any(*READS_D, *WRITES_D), "cpu.register_d")

    @staticmethod
    def _requests(builder: AirBuilder, row: Any, nxt: Any, flags: Selectors) -> None:
        """Arithmetic, ranges, hashes, signatures, exits, public words."""
        va, vb, vc, h = row.va, row.vb, row.vc, row.h
        builder.send(ADD, [*vb, *va, *vc, row.fault], flags[Opcode.ADD], "cpu.add")
        builder.send(ADD, [*vb, *vc, *va, row.fault], flags[Opcode.SUB], "cpu.sub")
        builder.send(MULDIV, [*va, *vb, *vc, *nxt.h, row.fault], flags[Opcode.MULDIV], "cpu.muldiv")
        builder.send(LIMBS, vc, flags.any(Opcode.HINT, Opcode.GAS, Opcode.HWORD), "cpu.limbs")
        builder.send(HASH, [row.imm0, *h, *va, *vb, *vc, *nxt.h], flags[Opcode.HASH], "cpu.hash")
        builder.send(SIG, [*h, *va, *vb, vc[0] + 65536 * vc[1]], flags[Opcode.SIG], "cpu.sig")
        exit_index = va[0] + 65536 * va[1]
        builder.receive(
            TREE, [EXIT_LEVEL + EXIT_DEPTH, exit_index, *(0,) * 8, *h], flags[Opcode.LEAF], "cpu.leaf"
        )
        builder.receive(PUBLIC, [row.imm0, *va], flags[Opcode.OUT], "cpu.out")

    def check_height(self, log_height: int) -> None:
        """Times stay below those of drains.

        Raises:
            AirError: they would not.
        """
        if log_height > MAX_LOG_HEIGHT:
            raise AirError(f"cpu: height 2^{log_height} exceeds 2^{MAX_LOG_HEIGHT}")
