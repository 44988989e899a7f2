"""Verifies an input: scriptSig, scriptPubKey, P2SH and witness programs up to taproot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.sighash import Spending
from verifier.bitcoin.taproot import TAPSCRIPT, commits, leaf_hash
from verifier.bitcoin.transaction import serialize_stack
from verifier.script.errors import CONSENSUS, Flag, ScriptError, ScriptFailure
from verifier.script.interpreter import MAX_STACK, Machine
from verifier.script.opcodes import OP_SUCCESS
from verifier.script.operations import Item, Stack, is_true, to_bytes
from verifier.script.script import (
    MAX_ELEMENT,
    P2A,
    ScriptSyntaxError,
    contains_opcode,
    is_p2sh,
    is_push_only,
    push_raw,
    witness_program,
)
from verifier.script.signatures import WEIGHT_OFFSET, Checker, SigVersion

ANNEX_TAG: Final = 0x50
_LEAF_MASK: Final = 0xFE
_MAX_CONTROL: Final = 33 + 32 * 128


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a spend.

    Attributes:
        error: `ScriptError.OK` or the first rule broken.
        peak_stack: most items on both stacks of the last script that ran.
        position: index of the last opcode reached in it; -1 if none ran.
    """

    error: ScriptError
    peak_stack: int = 0
    position: int = -1

    @property
    def accepted(self) -> bool:
        """Whether the spend is valid."""
        return self.error is ScriptError.OK


def verify_input(spending: Spending, index: int, flags: Flag = CONSENSUS) -> Verdict:
    """Verifies input `index` of a transaction.

    Args:
        spending: the transaction and all the outputs that it spends.
        index: the input.
        flags: rules in force; WITNESS needs P2SH, and CLEANSTACK needs both.

    Raises:
        ValueError: an index out of range or a combination of flags that Core refuses.
    """
    if not 0 <= index < len(spending.tx.inputs):
        raise ValueError(f"input {index} of {len(spending.tx.inputs)}")
    if (flags & Flag.WITNESS and not flags & Flag.P2SH) or (
        flags & Flag.CLEANSTACK and not flags & Flag.WITNESS
    ):
        raise ValueError(f"flags cannot be combined: {flags!r}")
    run = _Run(spending, index, flags)
    try:
        run.verify()
        error = ScriptError.OK
    except ScriptFailure as failure:
        error = failure.error
    machine = run.machine
    return Verdict(error) if machine is None else Verdict(error, machine.peak, machine.position)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script on its own came to: verdict and, where it ran to its end, both stacks."""

    verdict: Verdict
    stack: tuple[bytes, ...]
    alt: tuple[bytes, ...]


def run_tapscript(code: bytes, stack: Sequence[bytes], flags: Flag = CONSENSUS) -> Outcome:
    """Runs a tapscript, or a piece of one, without a transaction: signature checks fail.

    Unlike a spend it may leave any stack, so that gadgets can be tested alone.
    """
    machine = Machine(code, list(stack), Checker(None, 0, flags), SigVersion.TAPSCRIPT)
    try:
        machine.run()
        error = ScriptError.OK
    except ScriptFailure as failure:
        error = failure.error
    verdict = Verdict(error, machine.peak, machine.position)
    return Outcome(verdict, tuple(map(to_bytes, machine.stack)), tuple(map(to_bytes, machine.alt)))


class _Run:
    def __init__(self, spending: Spending, index: int, flags: Flag) -> None:
        self.checker = Checker(spending, index, flags)
        self.txin = spending.tx.inputs[index]
        self.output = spending.spent[index]
        self.flags = flags
        self.machine: Machine | None = None

    def verify(self) -> None:
        """Raises `ScriptFailure` where the spend is invalid."""
        flags, txin, script = self.flags, self.txin, self.output.script
        if flags & Flag.SIGPUSHONLY and not is_push_only(txin.script_sig):
            raise ScriptFailure(ScriptError.SIG_PUSHONLY)
        stack = self._evaluate([], txin.script_sig, SigVersion.BASE)
        pushed = list(stack)
        self._evaluate_true(stack, script)
        had_witness = False
        program = witness_program(script) if flags & Flag.WITNESS else None
        if program is not None:
            had_witness = True
            if txin.script_sig:
                raise ScriptFailure(ScriptError.WITNESS_MALLEATED)
            self._program(*program, nested=False)
            del stack[1:]
        if flags & Flag.P2SH and is_p2sh(script):
            if not is_push_only(txin.script_sig):
                raise ScriptFailure(ScriptError.SIG_PUSHONLY)
            stack, redeem = pushed, to_bytes(pushed.pop())
            self._evaluate_true(stack, redeem)
            program = witness_program(redeem) if flags & Flag.WITNESS else None
            if program is not None:
                had_witness = True
                if txin.script_sig != push_raw(redeem):
                    raise ScriptFailure(ScriptError.WITNESS_MALLEATED_P2SH)
                self._program(*program, nested=True)
                del stack[1:]
        if flags & Flag.CLEANSTACK and len(stack) != 1:
            raise ScriptFailure(ScriptError.CLEANSTACK)
        if flags & Flag.WITNESS and not had_witness and txin.witness:
            raise ScriptFailure(ScriptError.WITNESS_UNEXPECTED)

    def _evaluate(self, stack: Stack, code: bytes, version: SigVersion) -> Stack:
        self.machine = Machine(code, stack, self.checker, version)
        self.machine.run()
        return stack

    def _evaluate_true(self, stack: Stack, code: bytes) -> None:
        self._evaluate(stack, code, SigVersion.BASE)
        if not stack or not is_true(stack[-1]):
            raise ScriptFailure(ScriptError.EVAL_FALSE)

    def _program(self, version: int, program: bytes, nested: bool) -> None:
        witness = self.txin.witness
        if version == 0:
            self._version_0(program, witness)
        elif version == 1 and len(program) == 32 and not nested:
            if self.flags & Flag.TAPROOT:
                self._taproot(program, witness)
        elif (
            nested or self.output.script != P2A
        ) and self.flags & Flag.DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM:
            raise ScriptFailure(ScriptError.DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM)

    def _version_0(self, program: bytes, witness: tuple[bytes, ...]) -> None:
        if len(program) == 32:
            if not witness:
                raise ScriptFailure(ScriptError.WITNESS_PROGRAM_WITNESS_EMPTY)
            if sha256(witness[-1]) != program:
                raise ScriptFailure(ScriptError.WITNESS_PROGRAM_MISMATCH)
            self._witness_script(witness[-1], witness[:-1], SigVersion.WITNESS_V0)
        elif len(program) == 20:
            if len(witness) != 2:
                raise ScriptFailure(ScriptError.WITNESS_PROGRAM_MISMATCH)
            self._witness_script(b"\x76\xa9\x14" + program + b"\x88\xac", witness, SigVersion.WITNESS_V0)
        else:
            raise ScriptFailure(ScriptError.WITNESS_PROGRAM_WRONG_LENGTH)

    def _taproot(self, program: bytes, witness: tuple[bytes, ...]) -> None:
        if not witness:
            raise ScriptFailure(ScriptError.WITNESS_PROGRAM_WITNESS_EMPTY)
        stack = witness
        if len(stack) >= 2 and stack[-1][:1] == bytes([ANNEX_TAG]):
            self.checker.annex, stack = stack[-1], stack[:-1]
        if len(stack) == 1:
            self.checker.schnorr(program, stack[0], None)
            return
        *items, code, control = stack
        if not 33 <= len(control) <= _MAX_CONTROL or (len(control) - 33) % 32:
            raise ScriptFailure(ScriptError.TAPROOT_WRONG_CONTROL_SIZE)
        version = control[0] & _LEAF_MASK
        leaf = leaf_hash(code, version)
        if not commits(program, control, leaf):
            raise ScriptFailure(ScriptError.WITNESS_PROGRAM_MISMATCH)
        if version == TAPSCRIPT:
            self.checker.leaf_hash = leaf
            self.checker.budget = len(serialize_stack(witness)) + WEIGHT_OFFSET
            self._witness_script(code, tuple(items), SigVersion.TAPSCRIPT)
        elif self.flags & Flag.DISCOURAGE_UPGRADABLE_TAPROOT_VERSION:
            raise ScriptFailure(ScriptError.DISCOURAGE_UPGRADABLE_TAPROOT_VERSION)

    def _witness_script(self, code: bytes, items: tuple[bytes, ...], version: SigVersion) -> None:
        if version is SigVersion.TAPSCRIPT:
            if self._succeeds_at_once(code):
                return
            if len(items) > MAX_STACK:
                raise ScriptFailure(ScriptError.STACK_SIZE)
        if any(len(item) > MAX_ELEMENT for item in items):
            raise ScriptFailure(ScriptError.PUSH_SIZE)
        stack: list[Item] = list(items)
        self._evaluate(stack, code, version)
        if len(stack) != 1:
            raise ScriptFailure(ScriptError.CLEANSTACK)
        if not is_true(stack[0]):
            raise ScriptFailure(ScriptError.EVAL_FALSE)

    def _succeeds_at_once(self, code: bytes) -> bool:
        """Whether an OP_SUCCESS comes before anything malformed; it need not be executed."""
        try:
            found = contains_opcode(code, OP_SUCCESS)
        except ScriptSyntaxError:
            raise ScriptFailure(ScriptError.BAD_OPCODE) from None
        if found and self.flags & Flag.DISCOURAGE_OP_SUCCESS:
            raise ScriptFailure(ScriptError.DISCOURAGE_OP_SUCCESS)
        return found
