"""The instruction set for people: what docs/machine.md and `pegproof program reference` say of each instruction.

Numbers, operands, gas and system calls come from `isa`, `program.SYNTAX` and `abi`; the sentences are here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from circuits.machine.abi import CALLS, Call, Context
from circuits.machine.isa import FAULTING, MULDIV_GAS, STEP_GAS, USER_OPCODES, Opcode
from circuits.machine.program import SYNTAX

ADD_RANGE: Final = "all u64, by `add`"
LIMBS_RANGE: Final = "16-bit limbs, by `word`"
COPY: Final = "copied"
RAW: Final = "any elements"


@dataclass(frozen=True, slots=True)
class Entry:
    """An instruction for people.

    Attributes:
        effect: With r[x] for the word of register x; x0..x3 for its elements.
        ranges: Which words are ranged, and by which table.
        unless: What must hold. Else a user's faulting instruction faults; any other has no trace.
    """

    effect: str
    ranges: str = "none"
    unless: str = ""


INSTRUCTIONS: Final[dict[Opcode, Entry]] = {
    Opcode.PAD: Entry("rows after HALT"),
    Opcode.LI: Entry("d = (low, high, 0, 0) of a 32-bit number", "16 bits each, by the code"),
    Opcode.MOV: Entry("d = a", COPY),
    Opcode.ADD: Entry("d = a + b", ADD_RANGE, "a + b < 2^64"),
    Opcode.SUB: Entry("d = a - b", ADD_RANGE, "b <= a"),
    Opcode.MULDIV: Entry(
        "h = (q, r) with a b = q d + r, r < d: rounds down, 128-bit product", "five words of bytes, by `muldiv`",
        "d > 0 and q < 2^64",
    ),
    Opcode.PACK: Entry("d = (a0, a1, b0, b1): a + 2^32 b", COPY, "in the kernel a, b < 2^32; a user's lower halves"),
    Opcode.LO: Entry("d = (a0, a1, 0, 0): the lower half", COPY),
    Opcode.HI: Entry("d = (a2, a3, 0, 0): the upper half", COPY),
    Opcode.JMP: Entry("goes to k"),
    Opcode.JEQ: Entry("goes to k if a = b, element by element", RAW),
    Opcode.JNE: Entry("goes to k if a and b differ", RAW),
    Opcode.JLT: Entry("goes to k if a < b", ADD_RANGE),
    Opcode.JGE: Entry("goes to k if a >= b", ADD_RANGE),
    Opcode.HGETL: Entry("d = h0..h3; after MULDIV the quotient", RAW),
    Opcode.HGETH: Entry("d = h4..h7; after MULDIV the remainder", RAW),
    Opcode.SYS: Entry("system call: to the kernel's ENTRY k; its results are in r1, r2, ..", unless="k is one"),
    Opcode.ASSERT: Entry("nothing", RAW, "a = b, element by element"),
    Opcode.HINT: Entry("d = the tape's next word", LIMBS_RANGE, "it is a u64"),
    Opcode.HINTR: Entry("d = the tape's next word", RAW),
    Opcode.LOAD: Entry(
        "d = word k of cell a, in the present space", "the index by the tree", "a < 2^30, k < 5"
    ),
    Opcode.STORE: Entry(
        "word k of cell a, in the present space, = d", "the index by the tree", "a < 2^30, k < 5"
    ),
    Opcode.HSET: Entry("h = (a, b)", RAW),
    Opcode.HASH: Entry("h = compress24([k, h, a, b, d, 0, 0, 0])[:8]", RAW),
    Opcode.SIG: Entry("nothing", "the leaf by the key's height", "leaf d of owner (a, b) has signed h; d < 2^32"),
    Opcode.LEAF: Entry("exit leaf a is h", "the number by the tree", "a < 2^10, and it was not set before"),
    Opcode.OUT: Entry("public word k is a", RAW, "k < 23, and it was not set before"),
    Opcode.HALT: Entry("ends the run"),
    Opcode.ENTRY: Entry("d = the user's register a; gas += k; goes to m", COPY, "the step before was SYS"),
    Opcode.SRET: Entry("back to the user, behind its last SYS; h = 0"),
    Opcode.FRAME: Entry("the user's register file is a new one, of zeros"),
    Opcode.UGET: Entry("d = the user's register a", COPY),
    Opcode.UPUT: Entry("the user's register d = a", COPY),
    Opcode.ENTER: Entry(
        "user mode, from instruction 0 of the code with hash h; h = 0", unless="a listing has that hash"
    ),
    Opcode.TRAP: Entry("to ROM address 1; is in no program: the prover puts it in place of any user step"),
    Opcode.SPACE: Entry("the present space: a shadow opened now (a = 1), or the ledger (a = 0)", unless="a0 is 0 or 1"),
    Opcode.GAS: Entry("d = gas", LIMBS_RANGE),
    Opcode.GASSET: Entry("gas = a0 + 2^16 a1; b tells the executor when to trap"),
    Opcode.HWORD: Entry("d = (h0, h1) as two halves of 32 bits", LIMBS_RANGE),
}  # fmt: skip
"""Every instruction. What the kernel owes beside this: docs/machine.md."""

CONTEXTS: Final[dict[Context, str]] = {
    Context.HEIGHT: "Bitcoin height of the batch",
    Context.SLOT: "its slot",
    Context.PRODUCER: "cell of its producer",
    Context.PROGRAM: "the running program's own cell",
    Context.CHAIN: "chain id",
    Context.BLOCK_HEIGHT: "height of the block whose hash is in cell 12; 0 if there is none",
    Context.INDEX: "number of the transaction in its batch, from 1; 0 in a hook",
}

REFUSED: Final[dict[Call, str]] = {
    Call.MOVE: "no purse of the program, another asset, too little, a balance above 2^64 - 1",
    Call.BALANCE: "no purse",
    Call.OWNED: "no purse",
    Call.DLOAD: "no data cell of the program, word above 3",
    Call.DSTORE: "no data cell of the program, word above 3",
    Call.CREATE_DATA: "no cell is left",
    Call.CREATE_PURSE: "asset or owner 2^30 or more, no cell is left",
    Call.MINT: "no purse of the program's asset, a balance above 2^64 - 1",
    Call.BURN: "no purse of the program with its asset, too little",
    Call.CONTEXT: "an unknown number",
    Call.CHECKSIG: "no BTC purse with a key, a leaf that was passed; no key cell; in a hook",
    Call.CREATE_KEY: "no BTC purse with a key, no cell is left",
    Call.PEEK: "no data cell and not cell 12, word above 3",
}
"""When a system call makes the transaction fail, besides gas."""


def operands(op: Opcode) -> str:
    """As written, with commas; MULDIV, HASH and SIG end with the third word that they read."""
    return ", ".join(SYNTAX.get(op, "").replace("i", "number").split())


def instruction_rows(opcodes: Iterable[Opcode]) -> list[tuple[str, ...]]:
    """Instruction, operands, effect, ranges, condition."""
    return [
        (f"{op.value} {op.name}", operands(op), entry.effect, entry.ranges, entry.unless + _else(op))
        for op in opcodes
        for entry in (INSTRUCTIONS[op],)
    ]


def _else(op: Opcode) -> str:
    return "; else fault" if op in FAULTING else ""


def user_rows() -> list[tuple[str, ...]]:
    """The instructions of programs."""
    return instruction_rows(sorted(USER_OPCODES))


def kernel_rows() -> list[tuple[str, ...]]:
    """All the others."""
    return instruction_rows(op for op in Opcode if op not in USER_OPCODES)


INSTRUCTION_HEADER: Final = ("instruction", "operands", "effect", "ranges", "must hold")
CALL_HEADER: Final = ("call", "gas", "arguments", "results", "what it does", "refused")
CONTEXT_HEADER: Final = ("which", "value")


def call_rows() -> list[tuple[str, ...]]:
    """The system calls."""
    return [
        (
            f"{call.value} {call.name}", str(signature.gas), ", ".join(signature.arguments),
            ", ".join(signature.results), signature.does, REFUSED.get(call, ""),
        )
        for call, signature in CALLS.items()
    ]  # fmt: skip


def context_rows() -> list[tuple[str, ...]]:
    """What CONTEXT answers."""
    return [(f"{context.value} {context.name}", text) for context, text in CONTEXTS.items()]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def tables() -> dict[str, str]:
    """The tables of docs/machine.md by name."""
    return {
        "user": f"Every step takes {STEP_GAS} gas, MULDIV {STEP_GAS + MULDIV_GAS}.\n\n"
        + table(INSTRUCTION_HEADER, user_rows()),
        "kernel": table(INSTRUCTION_HEADER, kernel_rows()),
        "calls": table(CALL_HEADER, sorted(call_rows(), key=lambda row: int(row[0].split()[0]))),
        "context": table(CONTEXT_HEADER, context_rows()),
    }
