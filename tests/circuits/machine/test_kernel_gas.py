"""What the kernel's gas rests on: no wrap round p, every ENTRY where the ABI says, jumps that cannot be misused."""

from __future__ import annotations

from circuits.machine.abi import CALLS, GAS_CALL, GAS_CALLS, GAS_LOADED_WORD, MAX_CALLS, MAX_GAS, Call
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.machine.isa import ENTRY_BASE, FAULT_PC, JUMPS, MULDIV_GAS, STEP_GAS, TRAP_PC, Opcode
from circuits.machine.kernel import CONSTANTS, kernel
from circuits.rollup import params
from prover.poseidon2 import P

CELL_LIMIT = 1 << 30
MAX_ROWS = 1 << 20
"""More than any cpu table has."""
MOST_GAS_A_ROW = max(
    STEP_GAS + MULDIV_GAS, max((signature.gas + STEP_GAS) / 3 for signature in CALLS.values())
)
"""A system call takes three rows at least: SYS, ENTRY, and one of its routine."""


def test_gas_never_wraps_round_p() -> None:
    """A prover may run far beyond the limit; the gas it then shows is still above it, and below 2^30 + first."""
    loaded = GAS_LOADED_WORD * MAX_CODE_LENGTH * MAX_CALLS
    assert MAX_ROWS * MOST_GAS_A_ROW + MAX_GAS + loaded < CELL_LIMIT < P
    assert GAS_CALLS + GAS_CALL * MAX_CALLS < MAX_GAS


def test_vectors_are_where_the_machine_jumps() -> None:
    program = kernel()
    code = program.instructions
    assert code[0].imm0 == program.labels["start"]
    assert code[TRAP_PC].imm0 == program.labels["trapped"]
    assert code[FAULT_PC].imm0 == program.labels["call_fails"]
    for call in Call:
        entry = code[call.address]
        assert (entry.op, entry.a, entry.imm0) == (Opcode.ENTRY, 1, CALLS[call].gas)
        assert entry.imm1 == program.labels[f"sys_{call.name.lower()}"]
    assert [pc for pc, x in enumerate(code) if x.op is Opcode.ENTRY] == [call.address for call in Call]
    assert min(Call).address == ENTRY_BASE


def test_no_jump_of_the_kernel_leads_to_the_vectors() -> None:
    """Else kernel code could pass for a trap, a fault or a system call."""
    code = kernel().instructions
    refusals = range(3, ENTRY_BASE)
    last = max(call.address for call in Call)
    for x in code:
        if x.op in JUMPS:
            assert x.imm0 in refusals or x.imm0 > last


def test_user_mode_is_entered_and_left_as_meant() -> None:
    """One ENTER, behind a FRAME; what returns to the user is a routine of a system call."""
    program = kernel()
    code = program.instructions
    enters = [pc for pc, x in enumerate(code) if x.op is Opcode.ENTER]
    frames = [pc for pc, x in enumerate(code) if x.op is Opcode.FRAME]
    assert len(enters) == len(frames) == 1
    assert frames[0] < enters[0]
    first, last = program.labels["sys_move"], program.labels["finish"]
    assert all(first <= pc < last for pc, x in enumerate(code) if x.op is Opcode.SRET)
    spaces = [x for x in code if x.op is Opcode.SPACE]
    assert [x.a for x in spaces] == [program.registers["failing"], program.registers["zero"]]


def test_every_reading_of_the_gas_is_bounded() -> None:
    """p + gas is another spelling of gas: each GAS is followed by a comparison with 2^30."""
    program = kernel()
    code = program.instructions
    for pc, x in enumerate(code):
        if x.op is Opcode.GAS:
            following = code[pc + 1]
            assert (following.op, following.a) == (Opcode.JGE, x.d)
            assert following.b == program.registers["cell_limit"]


def test_canonical_hash_words_are_required() -> None:
    code, number = kernel().instructions, kernel().registers
    for pc, x in enumerate(code):
        if x.op is Opcode.HWORD:
            halves = code[pc + 1 : pc + 5]
            assert [y.op for y in halves] == [Opcode.LO, Opcode.JGE, Opcode.HI, Opcode.JGE]
            assert {halves[1].b, halves[3].b} == {number["prime"]}
            assert {halves[0].a, halves[2].a} == {x.d}


def test_kernel_and_specification_have_the_same_numbers() -> None:
    for name in ("GAS_ROTATE", "BYTES_ROTATE", "GAS_DEPLOY", "GAS_DEPLOY_WORD", "BYTES_DEPLOY", "BLOCK_CELL"):
        assert CONSTANTS[name] == getattr(params, name)
