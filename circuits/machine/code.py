"""Code of user programs: its hash, and the rules that the kernel checks when a program is deployed.

A code word is an instruction as `Instruction.encode` gives it. The hash is a chain from h = 0:
h = compress24([TAG_CODE, h, word, 0..])[:8].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from circuits.machine.errors import AssemblerError, AssemblerReason
from circuits.machine.isa import JUMPS, LAST_USER_OPCODE, Opcode
from circuits.machine.program import Instruction, parse
from circuits.machine.words import word_from_int
from circuits.tags import TAG_CODE
from prover.poseidon2 import compress

MAX_CODE_LENGTH: Final = 1024
"""Instructions of a program: the jump target of any fits 16 bits, and a deployment fits a batch."""


def code_hash(code: Sequence[int]) -> tuple[int, ...]:
    """Hash of a program's code; shape (8,)."""
    state: tuple[int, ...] = (0,) * 8
    for word in code:
        state = compress(24, [TAG_CODE, *state, *word_from_int(word), *(0,) * 11], 8)
    return state


def check_code(code: Sequence[int], first_call: int, last_call: int) -> None:
    """Refuse code that could reach a step without a trace: the rules of a deployment.

    Every opcode is a user's; a jump has its target inside the code and imm1 = 0; a SYS names an entry and has
    imm1 = 0; the last instruction is a JMP.

    Args:
        code: Instructions as u64 words.
        first_call: Smallest operand of SYS.
        last_call: Largest operand of SYS.

    Raises:
        AssemblerError: TOO_LONG or MALFORMED; its line is the instruction's number, from 1.
    """
    if not 1 <= len(code) <= MAX_CODE_LENGTH:
        raise AssemblerError(AssemblerReason.TOO_LONG, 0, f"{len(code)} instructions")
    for number, word in enumerate(code, start=1):
        op, target = word & 0xFF, word >> 32
        if not (
            Opcode.PAD < op <= LAST_USER_OPCODE
            and (op not in JUMPS or target < len(code))
            and (op != Opcode.SYS or first_call <= target <= last_call)
            and (number < len(code) or op == Opcode.JMP)
        ):
            raise AssemblerError(AssemblerReason.MALFORMED, number, f"{word:#018x}")


def decode_code(code: Sequence[int]) -> tuple[Instruction, ...]:
    """The instructions, whatever they are; no rule is checked."""
    return tuple(parse(word) for word in code)
