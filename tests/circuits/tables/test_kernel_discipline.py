"""What the tables leave to the kernel, checked on its instructions (CpuAir).

PACK, LO, HI, LEAF, SIG's d and addresses take limbs without ranging them, so no register that may hold a raw
word may stand there. Cell and leaf numbers are compared with 2^30 before use: limbs that denote p + i mean i.
"""

from __future__ import annotations

from circuits.machine.isa import USER_D, WRITES_D, Opcode
from circuits.machine.kernel import kernel
from circuits.machine.program import JUMPS, Instruction, Program

OWNER_WORDS = (1, 2)
WRITES_KERNEL = WRITES_D - USER_D
NUMERIC_BY_KIND = ("data",)
"""Kernel registers loaded with words 1 and 2 of cells whose header says that they are numbers."""


def raw_sources(program: Program) -> set[int]:
    """Registers that some instruction may write a raw word to; no flow, so too many rather than too few."""
    code = program.instructions
    targets = {x.imm0 for x in code if x.op in JUMPS}
    never_written = set(range(256)) - {x.d for x in code if x.op in WRITES_KERNEL}
    numeric = {program.registers.get(name) for name in NUMERIC_BY_KIND}
    raw: set[int] = set()

    def writes_raw(pc: int, x: Instruction) -> bool:
        if x.op is Opcode.HINTR:
            return True
        if x.op is Opcode.LOAD:  # owners, accumulator; cell 0 (its address a register of zeros) is numeric
            return x.imm0 in OWNER_WORDS and x.a not in never_written and x.d not in numeric
        if x.op in (Opcode.HGETL, Opcode.HGETH):
            while pc not in targets and pc:
                pc -= 1
                if code[pc].op in (Opcode.MULDIV, Opcode.HASH, Opcode.HSET):
                    return code[pc].op is not Opcode.MULDIV
            return True
        if x.op in (Opcode.MOV, Opcode.LO, Opcode.HI):
            return x.a in raw
        return x.op is Opcode.PACK and (x.a in raw or x.b in raw)

    while True:
        found = {x.d for pc, x in enumerate(code) if x.op in WRITES_KERNEL and writes_raw(pc, x)}
        if found <= raw:
            return raw
        raw |= found


def test_raw_words_are_what_the_kernel_means_to_be_raw():
    program = kernel()
    names = {number: name for name, number in program.registers.items()}
    raw = {names[r] for r in raw_sources(program)}
    events = {"ev_lo", "ev_hi", "old_ev_lo", "old_ev_hi"}
    others = {"o0", "o1", "owner_lo", "owner_hi", "raw_lo", "raw_hi", "code_lo", "code_hi", "t_lo", "t_hi"}
    assert raw == {"acc_lo", "acc_hi", "d_lo", "d_hi", *events, *others}


def test_words_that_are_numeric_by_kind_are_loaded_behind_a_look_at_the_header():
    """`data` is loaded in `dload_k` alone, which is reached from `dload` alone: there the kind is known."""
    program = kernel()
    data, labels = program.registers["data"], program.labels
    first, last = labels["dload_0"], labels["dloaded"]
    writers = [pc for pc, x in enumerate(program.instructions) if x.op in WRITES_KERNEL and x.d == data]
    assert all(first <= pc < last for pc in writers)
    inside = set(range(first, last))
    comers = {pc for pc, x in enumerate(program.instructions) if x.op in JUMPS and x.imm0 in inside}
    assert all(labels["dload"] <= pc < first for pc in comers)
    assert program.instructions[first - 1].op is Opcode.JMP
    assert {pc for pc, x in enumerate(program.instructions) if x.op in JUMPS and x.imm0 == labels["dload"]} == {
        labels["sys_peek"] + 3, labels["sys_peek"] + 4
    }  # fmt: skip
    assert (
        program.instructions[labels["dload"] - 1].op is Opcode.JNE
    )  # DLOAD: the header of its own data cell


def test_no_raw_word_reaches_an_operand_that_must_be_a_number():
    program = kernel()
    raw = raw_sources(program)
    numbers = {
        **dict.fromkeys((Opcode.ADD, Opcode.SUB, Opcode.JLT, Opcode.JGE, Opcode.PACK), "ab"),
        **dict.fromkeys(
            (Opcode.LO, Opcode.HI, Opcode.LEAF, Opcode.LOAD, Opcode.STORE, Opcode.UPUT, Opcode.SPACE), "a"
        ),
        Opcode.GASSET: "ab",
        Opcode.MULDIV: "abd",
        Opcode.SIG: "d",
    }
    wrong = [x for x in program.instructions if any(getattr(x, r) in raw for r in numbers.get(x.op, ""))]
    assert wrong == []


def test_raw_words_are_stored_only_where_raw_words_are_loaded():
    """Owner and accumulator words; so numeric words of cells stay u64 from batch to batch."""
    program = kernel()
    raw = raw_sources(program)
    stores = [x for x in program.instructions if x.op is Opcode.STORE and x.d in raw]
    assert stores
    assert {x.imm0 for x in stores} <= set(OWNER_WORDS)


def test_every_cell_address_is_a_constant_or_compared_with_the_limit():
    """A register that addresses cells is only ever a small constant, or compared (JGE) with cell_limit."""
    program = kernel()
    number = program.registers
    limit = number["cell_limit"]
    compared = {x.a for x in program.instructions if x.op is Opcode.JGE and x.b == limit}
    addresses = {x.a for x in program.instructions if x.op in (Opcode.LOAD, Opcode.STORE)}
    constants = {number["zero"], number["one"], number["hook"]}  # hook counts from 13 to 15
    assert addresses <= compared | constants
    leaves = {x.d for x in program.instructions if x.op is Opcode.SIG}
    assert leaves <= compared
