"""The executor's inner loop where the C build is missing (csrc/executor.c). The rules of `interpreter`, on arrays.

Words are (4,) uint64 arrays of elements below p. A u64 value is formed only from limbs that were checked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from circuits.machine.errors import MachineReason
from circuits.machine.executor_log import (
    ENTERED,
    GROW_CELLS,
    GROW_SHADOWS,
    GROW_STEPS,
    PC,
    SHADOWS,
    SIGNED,
    STATUS,
    STEPS,
    USER,
)
from circuits.machine.executor_words import is_u64, muldiv, put, slot, value
from circuits.machine.isa import (
    CELL_DEPTH,
    EXIT_DEPTH,
    FAULT_PC,
    KERNEL_ONLY,
    MULDIV_GAS,
    READS_A,
    READS_B,
    READS_D,
    STEP_GAS,
    TRAP_PC,
    USER_A,
    USER_D,
    USER_ONLY,
    WRITES_D,
    Opcode,
)
from circuits.machine.jit import jit
from circuits.machine.poseidon2_jit import compress24

U64 = NDArray[np.uint64]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

# Globals are compile-time constants of the loop.
_PC = STATUS[MachineReason.PC]
_OPCODE = STATUS[MachineReason.OPCODE]
_NOT_U64 = STATUS[MachineReason.NOT_U64]
_CARRY = STATUS[MachineReason.CARRY]
_BORROW = STATUS[MachineReason.BORROW]
_DIVISOR = STATUS[MachineReason.DIVISOR]
_QUOTIENT = STATUS[MachineReason.QUOTIENT]
_NOT_U32 = STATUS[MachineReason.NOT_U32]
_ASSERTION = STATUS[MachineReason.ASSERTION]
_TAPE = STATUS[MachineReason.TAPE]
_ELEMENT = STATUS[MachineReason.ELEMENT]
_ADDRESS = STATUS[MachineReason.ADDRESS]
_CELL_WORD = STATUS[MachineReason.CELL_WORD]
_EXIT_LEAF = STATUS[MachineReason.EXIT_LEAF]
_PUBLIC = STATUS[MachineReason.PUBLIC]
_STEPS = STATUS[MachineReason.STEPS]
_MODE = STATUS[MachineReason.MODE]
_CODE = STATUS[MachineReason.CODE]
_SPACE_VALUE = STATUS[MachineReason.SPACE]
_GAS_RANGE = STATUS[MachineReason.GAS]

_READS_A = np.array([op in READS_A for op in Opcode])
_READS_B = np.array([op in READS_B for op in Opcode])
_READS_D = np.array([op in READS_D for op in Opcode])
_WRITES_D = np.array([op in WRITES_D for op in Opcode])
_USER_A = np.array([op in USER_A for op in Opcode])
_USER_D = np.array([op in USER_D for op in Opcode])
_NOT_IN_USER = np.array([op in KERNEL_ONLY for op in Opcode])
_NOT_IN_KERNEL = np.array([op in USER_ONLY for op in Opcode])
(_LI, _MOV, _ADD, _SUB, _MULDIV, _PACK, _LO, _HI, _JMP, _JEQ, _JNE, _JLT, _JGE, _HGETL, _HGETH, _SYS) = (
    int(op) for op in list(Opcode)[1:17]
)
(_ASSERT, _HINT, _HINTR, _LOAD, _STORE, _HSET, _HASH, _SIG, _LEAF, _OUT, _HALT) = (
    int(op) for op in list(Opcode)[17:28]
)
(_ENTRY, _SRET, _FRAME, _UGET, _UPUT, _ENTER, _TRAP, _SPACE, _GAS, _GASSET, _HWORD) = (
    int(op) for op in list(Opcode)[28:39]
)

_P = np.uint64(2130706433)
_LIMB = np.uint64(1 << 16)
_S32 = np.uint64(32)
_CELLS = np.uint64(1 << CELL_DEPTH)
_EXITS = np.uint64(1 << EXIT_DEPTH)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_STEP_GAS = np.uint64(STEP_GAS)
_MULDIV_GAS = np.uint64(MULDIV_GAS)
_TRAP_PC, _FAULT_PC = int(TRAP_PC), int(FAULT_PC)


@jit
def execute(
    rom: I64, code: I64, starts: I64, hashes: U32, tape: U32, given: I64, given_words: U32,
    keys: I64, before: U32, after: U32,
    log_pc: U32, log_words: U32, log_h: U32, log_instruction: U32, log_state: U32,
    public_words: U32, public_set: U32, leaves: U32, leaf_set: U32, requests: U32, entered: I64,
    shadow_at: I64, shadow_keys: I64, shadow_seeds: U32, shadow_last: U32,
    counters: I64, max_steps: int,
) -> int:  # fmt: skip
    """Run to HALT or to a step without a trace.

    Args:
        rom: op, d, a, b, imm0, imm1; shape (m, 6).
        code: The same of all user programs, one after the other.
        starts: Where each begins, and the end of the last; shape (programs + 1,).
        hashes: Their code hashes; shape (programs, 8).
        tape: Hints; shape (4, n).
        given: Indices of the cells that are not empty, increasing; shape (k,).
        given_words: Their words; shape (k, 5, 4).
        keys: Table of touched cells, -1 where free; shape (power of two,). Written, as is what follows.
        before: Words at first touch; shape (len(keys), 5, 4).
        after: Words now; as `before`.
        log_pc: Shape (steps,).
        log_words: va, vb, vc of each step; shape (12, steps).
        log_h: Hash state before each step; shape (8, steps).
        log_instruction: Shape (6, steps).
        log_state: As NUM_STATE says; shape (7, steps).
        public_words: Shape (words, 4).
        public_set: 1 where OUT has set a word.
        leaves: Exit leaves; shape (exits, 8).
        leaf_set: 1 where LEAF has set one.
        requests: Step of each SIG (from 0); shape (steps,).
        entered: Programs in order of first ENTER; shape (programs,).
        shadow_at: Each cell word's last place in the shadow table, -1 if none; shape (len(keys), 5).
        shadow_keys: Space, cell, word of each shadow word; shape (shadows, 3).
        shadow_seeds: Shape (shadows, 4).
        shadow_last: Shape (shadows, 4).
        counters: Shape (NUM_COUNTERS,).
        max_steps: Steps allowed.

    Returns:
        Status.
    """
    kernel_frame = np.zeros((256, 4), dtype=np.uint64)
    user_frame = np.zeros((256, 4), dtype=np.uint64)
    h = np.zeros(8, dtype=np.uint64)
    block = np.zeros(24, dtype=np.uint64)
    va = np.zeros(4, dtype=np.uint64)
    vb = np.zeros(4, dtype=np.uint64)
    vc = np.zeros(4, dtype=np.uint64)
    next_h = np.zeros(8, dtype=np.uint64)
    trap = np.zeros(6, dtype=np.int64)
    trap[0] = _TRAP
    pc = step = hint = touched = signed = shadowed = num_entered = 0
    user = called = saved_pc = program = uframe = space = 0
    running = 0
    gas = np.uint64(0)
    trap_gas, traps = np.uint64(0), False
    while True:
        counters[STEPS], counters[PC], counters[USER] = step, pc, user
        counters[SIGNED], counters[SHADOWS], counters[ENTERED] = signed, shadowed, num_entered
        if step >= max_steps:
            return _STEPS
        if step >= log_pc.shape[0]:
            return GROW_STEPS
        if user == 1 and traps and gas + _STEP_GAS > trap_gas:
            row = trap
        elif user == 1:
            if starts[running] + pc >= starts[running + 1]:
                return _PC
            row = code[starts[running] + pc]
        else:
            if pc >= rom.shape[0]:
                return _PC
            row = rom[pc]
        op, d, a, b, imm = row[0], row[1], row[2], row[3], row[4]
        if op == 0:
            return _OPCODE
        if (user == 1 and _NOT_IN_USER[op]) or (user == 0 and _NOT_IN_KERNEL[op]):
            return _MODE
        if (op == _ENTRY) != (called == 1):
            return _MODE
        frame = user_frame if user == 1 else kernel_frame
        frame_a = user_frame if _USER_A[op] else frame
        frame_d = user_frame if _USER_D[op] else frame
        next_pc = pc + 1
        next_user, next_called, next_saved = user, 0, saved_pc
        next_program, next_uframe, next_space = program, uframe, space
        next_gas = gas + _STEP_GAS if user == 1 else gas
        if user == 1 and op == _MULDIV:
            next_gas += _MULDIV_GAS
        fault = 0
        status = 0
        for i in range(4):
            va[i] = frame_a[a, i] if _READS_A[op] else _ZERO
            vb[i] = frame[b, i] if _READS_B[op] else _ZERO
            vc[i] = frame_d[d, i] if _READS_D[op] else _ZERO
        for i in range(8):
            next_h[i] = h[i]

        if op == _LI:
            vc[0], vc[1] = np.uint64(imm), np.uint64(row[5])
        elif op in (_MOV, _UGET, _UPUT):
            vc[:] = va
        elif op in (_ADD, _SUB, _JLT, _JGE):
            if not (is_u64(va) and is_u64(vb)):
                status = _NOT_U64
            else:
                x, y = value(va), value(vb)
                if op == _ADD:
                    put(vc, x + y)
                    status = _CARRY if x + y < x else 0
                elif op == _SUB:
                    put(vc, x - y)
                    status = _BORROW if x < y else 0
                elif (x < y) == (op == _JLT):
                    next_pc = imm
                if status != 0 and user == 1:
                    status, fault = 0, 1
        elif op == _MULDIV:
            if not (is_u64(va) and is_u64(vb) and is_u64(vc)):
                status = _NOT_U64
            else:
                fits, quotient, remainder = muldiv(value(va), value(vb), value(vc))
                if not fits and user == 1:
                    fault = 1
                elif not fits:
                    status = _DIVISOR if value(vc) == _ZERO else _QUOTIENT
                put(next_h[:4], quotient)
                put(next_h[4:], remainder)
        elif op == _PACK:
            if not is_u64(va):
                status = _NOT_U64
            elif va[2] | va[3] != _ZERO and user == 0:
                status = _NOT_U32
            elif not is_u64(vb):
                status = _NOT_U64
            elif vb[2] | vb[3] != _ZERO and user == 0:
                status = _NOT_U32
            vc[0], vc[1], vc[2], vc[3] = va[0], va[1], vb[0], vb[1]
        elif op in (_LO, _HI):
            first = 0 if op == _LO else 2
            vc[0], vc[1] = va[first], va[first + 1]
            status = 0 if is_u64(va) else _NOT_U64
        elif op == _JMP:
            next_pc = imm
        elif op in (_JEQ, _JNE, _ASSERT):
            equal = va[0] == vb[0] and va[1] == vb[1] and va[2] == vb[2] and va[3] == vb[3]
            if op == _ASSERT:
                status = 0 if equal else _ASSERTION
            elif equal == (op == _JEQ):
                next_pc = imm
        elif op in (_HINT, _HINTR):
            if hint >= tape.shape[1]:
                status = _TAPE
            else:
                limit = _LIMB if op == _HINT else _P
                for i in range(4):
                    vc[i] = np.uint64(tape[i, hint])
                    if vc[i] >= limit:
                        status = _ELEMENT
                hint += 1
        elif op in (_LOAD, _STORE):
            if not is_u64(va):
                status = _NOT_U64
            elif value(va) >= _CELLS:
                status = _ADDRESS
            elif imm >= 5:
                status = _CELL_WORD
            else:
                index = np.int64(value(va))
                place = slot(index, keys)
                if keys[place] == -1:
                    if 2 * (touched + 1) > keys.shape[0]:
                        return GROW_CELLS
                    keys[place] = index
                    touched += 1
                    known = np.searchsorted(given, index)
                    if known < given.shape[0] and given[known] == index:
                        before[place] = given_words[known]
                        after[place] = given_words[known]
                shadow = -1
                if space != 0:
                    shadow = shadow_at[place, imm]
                    if shadow < 0 or shadow_keys[shadow, 0] != space:
                        if shadowed >= shadow_keys.shape[0]:
                            return GROW_SHADOWS
                        shadow = shadowed
                        shadowed += 1
                        shadow_at[place, imm] = shadow
                        shadow_keys[shadow, 0] = space
                        shadow_keys[shadow, 1] = index
                        shadow_keys[shadow, 2] = imm
                        for i in range(4):
                            shadow_seeds[shadow, i] = after[place, imm, i]
                            shadow_last[shadow, i] = after[place, imm, i]
                for i in range(4):
                    if op == _LOAD:
                        vc[i] = np.uint64(after[place, imm, i] if shadow < 0 else shadow_last[shadow, i])
                    elif shadow < 0:
                        after[place, imm, i] = np.uint32(vc[i])
                    else:
                        shadow_last[shadow, i] = np.uint32(vc[i])
        elif op == _HSET:
            for i in range(4):
                next_h[i] = va[i]
                next_h[4 + i] = vb[i]
        elif op == _HASH:
            block[0] = np.uint64(imm)
            block[1:9] = h
            block[9:13] = va
            block[13:17] = vb
            block[17:21] = vc
            compress24(block, next_h)
        elif op == _HGETL:
            vc[:] = h[:4]
        elif op == _HGETH:
            vc[:] = h[4:]
        elif op == _SIG:
            if not is_u64(vc):
                status = _NOT_U64
            elif vc[2] | vc[3] != _ZERO:
                status = _NOT_U32
            requests[signed] = step
            signed += 1
        elif op == _LEAF:
            if not is_u64(va):
                status = _NOT_U64
            elif value(va) >= _EXITS or leaf_set[np.int64(value(va))] != 0:
                status = _EXIT_LEAF
            else:
                number = np.int64(value(va))
                leaf_set[number] = 1
                for i in range(8):
                    leaves[number, i] = np.uint32(h[i])
        elif op == _OUT:
            if imm >= public_words.shape[0] or public_set[imm] != 0:
                status = _PUBLIC
            else:
                public_set[imm] = 1
                for i in range(4):
                    public_words[imm, i] = np.uint32(va[i])
        elif op == _SYS:
            next_user, next_called, next_saved, next_pc = 0, 1, pc + 1, imm
        elif op == _ENTRY:
            vc[:] = va
            next_gas = gas + np.uint64(imm)
            next_pc = row[5]
        elif op == _SRET:
            next_user, next_pc = 1, saved_pc
            next_h[:] = _ZERO
        elif op == _TRAP:
            next_user, next_pc = 0, _TRAP_PC
        elif op == _FRAME:
            next_uframe = uframe + 1
            user_frame[:] = _ZERO
        elif op == _ENTER:
            status = _CODE
            for candidate in range(hashes.shape[0]):
                same = True
                for i in range(8):
                    same = same and np.uint64(hashes[candidate, i]) == h[i]
                if same and status != 0:
                    status = 0
                    running = candidate
            if status == 0:
                next_program = 0
                for i in range(num_entered):
                    if entered[i] == running:
                        next_program = i + 1
                if next_program == 0:
                    entered[num_entered] = running
                    num_entered += 1
                    next_program = num_entered
                next_user, next_pc = 1, 0
                next_h[:] = _ZERO
        elif op == _SPACE:
            if va[0] > _ONE or va[1] | va[2] | va[3] != _ZERO:
                status = _SPACE_VALUE
            next_space = step + 1 if va[0] == _ONE else 0
        elif op == _GAS:
            put(vc, gas)
        elif op == _GASSET:
            if not is_u64(va):
                status = _NOT_U64
            elif va[2] | va[3] != _ZERO:
                status = _NOT_U32
            elif not is_u64(vb):
                status = _NOT_U64
            next_gas = value(va)
            trap_gas, traps = value(vb), True
        elif op == _HWORD:
            put(vc, h[0] | (h[1] << _S32))
        elif op != _HALT:
            status = _OPCODE
        if fault == 1:
            next_user, next_pc = 0, _FAULT_PC
        if status == 0 and next_gas >= _P:
            status = _GAS_RANGE
        if status != 0:
            return status
        log_pc[step] = pc
        for i in range(6):
            log_instruction[i, step] = np.uint32(row[i])
        log_state[0, step] = user
        log_state[1, step] = saved_pc
        log_state[2, step] = program
        log_state[3, step] = uframe
        log_state[4, step] = space
        log_state[5, step] = np.uint32(gas)
        log_state[6, step] = fault
        for i in range(4):
            log_words[i, step] = np.uint32(va[i])
            log_words[4 + i, step] = np.uint32(vb[i])
            log_words[8 + i, step] = np.uint32(vc[i])
            if _WRITES_D[op]:
                frame_d[d, i] = vc[i]
        for i in range(8):
            log_h[i, step] = np.uint32(h[i])
            h[i] = next_h[i]
        step += 1
        pc, user, called, saved_pc = next_pc, next_user, next_called, next_saved
        program, uframe, space, gas = next_program, next_uframe, next_space, next_gas
        if op == _HALT:
            counters[STEPS], counters[SIGNED] = step, signed
            counters[SHADOWS], counters[ENTERED] = shadowed, num_entered
            return 0
