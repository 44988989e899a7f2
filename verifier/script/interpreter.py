"""Runs one script: the loop, conditions, and the operations that look at more than the stack.

Source: Core's script/interpreter.cpp; the order of checks is Core's, because it decides which error is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from verifier.bitcoin.sighash import NO_CODE_SEPARATOR
from verifier.script.errors import Flag, ScriptError, ScriptFailure
from verifier.script.opcodes import DISABLED, Op
from verifier.script.operations import Item, Stack, from_number, is_true, table, to_bytes, to_number
from verifier.script.script import MAX_ELEMENT, is_minimal_number, push
from verifier.script.signatures import Checker, SigVersion

MAX_SCRIPT: Final = 10_000
MAX_OPERATIONS: Final = 201
MAX_STACK: Final = 1_000
MAX_KEYS: Final = 20
_LOCKTIME_BYTES: Final = 5

_TABLES: Final = {minimal: table(minimal) for minimal in (False, True)}
_NOPS: Final = frozenset({Op.NOP1, *range(Op.NOP4, Op.NOP10 + 1)})


_NONE: Final = -1
"""No condition is false."""


def _as_item(data: bytes) -> Item:
    return (
        int.from_bytes(data, "little") if not data or (is_minimal_number(data) and data[-1] < 0x80) else data
    )


_BOOLEANS: Final[tuple[Item, ...]] = (0, 1, b"", b"\x01")


@dataclass(slots=True)
class Machine:
    """A script in execution.

    Attributes:
        code: the script.
        stack: main stack, changed in place.
        checker: the input.
        version: the rules of signing.
        alt: alternative stack.
        peak: most items on both stacks after any operation.
        position: index of the last opcode that was reached.
    """

    code: bytes
    stack: Stack
    checker: Checker
    version: SigVersion
    alt: Stack = field(default_factory=list)
    peak: int = 0
    position: int = -1
    _counted: int = 0
    _start: int = 0
    _separator: int = NO_CODE_SEPARATOR
    _nesting: int = 0
    _first_false: int = _NONE

    def run(self) -> None:
        """Executes all of the script.

        Raises:
            ScriptFailure: the script fails.
        """
        if self.version is not SigVersion.TAPSCRIPT and len(self.code) > MAX_SCRIPT:
            raise ScriptFailure(ScriptError.SCRIPT_SIZE)
        try:
            self._loop()
        except IndexError:
            raise ScriptFailure(ScriptError.INVALID_STACK_OPERATION) from None
        if self._nesting:
            raise ScriptFailure(ScriptError.UNBALANCED_CONDITIONAL)

    def _loop(self) -> None:
        code, stack, alt = self.code, self.stack, self.alt
        minimal = bool(self.checker.flags & Flag.MINIMALDATA)
        limited = self.version is not SigVersion.TAPSCRIPT
        operations = _TABLES[minimal]
        at, end, peak = 0, len(code), 0
        active, position = True, self.position
        while at < end:
            opcode = code[at]
            at += 1
            position = self.position = position + 1
            if opcode <= 0x4E:
                item, behind = (
                    self._read(opcode, at) if opcode >= 0x4C else (code[at : at + opcode], at + opcode)
                )
                if behind > end:
                    raise ScriptFailure(ScriptError.BAD_OPCODE)
                if len(item) > MAX_ELEMENT:
                    raise ScriptFailure(ScriptError.PUSH_SIZE)
                if active:
                    if minimal and (len(item) == 1 or opcode >= 0x4C) and code[at - 1 : behind] != push(item):
                        raise ScriptFailure(ScriptError.MINIMALDATA)
                    stack.append(_as_item(item) if len(item) < 3 else item)
                at = behind
            elif active and 0x51 <= opcode <= 0x60:
                stack.append(opcode - 0x50)
            else:
                if limited:
                    self._check_limits(opcode)
                operation = operations[opcode]
                if operation is not None:
                    if active:
                        operation(stack)
                elif 0x63 <= opcode <= 0x68:
                    active = self._condition(opcode, active)
                elif active:
                    if opcode == 0x6B:
                        alt.append(stack.pop())
                    elif opcode == 0x6C:
                        if not alt:
                            raise ScriptFailure(ScriptError.INVALID_ALTSTACK_OPERATION)
                        stack.append(alt.pop())
                    elif opcode == 0xAB:
                        self._start, self._separator = at, position
                    else:
                        self._execute(opcode)
            depth = len(stack) + len(alt)
            if depth > peak:
                peak = self.peak = depth
                if depth > MAX_STACK:
                    raise ScriptFailure(ScriptError.STACK_SIZE)

    def _read(self, opcode: int, at: int) -> tuple[bytes, int]:
        """The data of OP_PUSHDATA1, 2 or 4 and the position behind it."""
        start = at + (1 << (opcode - 0x4C))
        if start > len(self.code):
            raise ScriptFailure(ScriptError.BAD_OPCODE)
        behind = start + int.from_bytes(self.code[at:start], "little")
        return self.code[start:behind], behind

    def _check_limits(self, opcode: int) -> None:
        """What holds before tapscript, executed or not."""
        if opcode > Op.OP_16:
            self._count(1)
        if opcode in DISABLED:
            raise ScriptFailure(ScriptError.DISABLED_OPCODE)
        if (
            opcode == Op.CODESEPARATOR
            and self.version is SigVersion.BASE
            and self.checker.flags & Flag.CONST_SCRIPTCODE
        ):
            raise ScriptFailure(ScriptError.OP_CODESEPARATOR)

    def _count(self, number: int) -> None:
        self._counted += number
        if self._counted > MAX_OPERATIONS:
            raise ScriptFailure(ScriptError.OP_COUNT)

    def _condition(self, opcode: int, active: bool) -> bool:
        """OP_IF to OP_ENDIF; whether what follows is executed.

        Only the outermost false level matters, so depth and that level stand for the stack of conditions.
        """
        if opcode <= Op.NOTIF:
            value = active and self._take_condition() == (opcode == Op.IF)
            if not value and self._first_false == _NONE:
                self._first_false = self._nesting
            self._nesting += 1
        elif opcode not in (Op.ELSE, Op.ENDIF):
            raise ScriptFailure(ScriptError.BAD_OPCODE)
        elif not self._nesting:
            raise ScriptFailure(ScriptError.UNBALANCED_CONDITIONAL)
        else:
            innermost_false = self._first_false == self._nesting - 1
            if opcode == Op.ENDIF:
                self._nesting -= 1
            elif self._first_false == _NONE:
                self._first_false = self._nesting - 1
            if innermost_false:
                self._first_false = _NONE
        return self._first_false == _NONE

    def _take_condition(self) -> bool:
        item = self.stack[-1]
        if self.version is SigVersion.TAPSCRIPT and item not in _BOOLEANS:
            raise ScriptFailure(ScriptError.TAPSCRIPT_MINIMALIF)
        strict = self.version is SigVersion.WITNESS_V0 and self.checker.flags & Flag.MINIMALIF
        if strict and item not in _BOOLEANS:
            raise ScriptFailure(ScriptError.MINIMALIF)
        self.stack.pop()
        return is_true(item)

    def _execute(self, opcode: int) -> None:
        """Opcodes that are rare: signatures, lock times, NOPs and what is no opcode."""
        flags, stack = self.checker.flags, self.stack
        if opcode == Op.OP_1NEGATE:
            stack.append(-1)
        elif opcode == Op.NOP:
            pass
        elif opcode == Op.RETURN:
            raise ScriptFailure(ScriptError.OP_RETURN)
        elif opcode in (Op.CHECKSIG, Op.CHECKSIGVERIFY):
            self._checksig(opcode == Op.CHECKSIGVERIFY)
        elif opcode == Op.CHECKSIGADD and self.version is SigVersion.TAPSCRIPT:
            self._checksigadd()
        elif opcode in (Op.CHECKMULTISIG, Op.CHECKMULTISIGVERIFY):
            self._checkmultisig(opcode == Op.CHECKMULTISIGVERIFY)
        elif opcode == Op.CHECKLOCKTIMEVERIFY:
            if flags & Flag.CHECKLOCKTIMEVERIFY and not self.checker.locktime_reached(self._locktime()):
                raise ScriptFailure(ScriptError.UNSATISFIED_LOCKTIME)
        elif opcode == Op.CHECKSEQUENCEVERIFY:
            if flags & Flag.CHECKSEQUENCEVERIFY:
                wanted = self._locktime()
                if not wanted >> 31 & 1 and not self.checker.sequence_reached(wanted):
                    raise ScriptFailure(ScriptError.UNSATISFIED_LOCKTIME)
        elif opcode in _NOPS:
            if flags & Flag.DISCOURAGE_UPGRADABLE_NOPS:
                raise ScriptFailure(ScriptError.DISCOURAGE_UPGRADABLE_NOPS)
        else:
            raise ScriptFailure(ScriptError.BAD_OPCODE)

    def _number(self, item: Item, size: int = 4) -> int:
        return to_number(item, bool(self.checker.flags & Flag.MINIMALDATA), size)

    def _locktime(self) -> int:
        value = self._number(self.stack[-1], _LOCKTIME_BYTES)
        if value < 0:
            raise ScriptFailure(ScriptError.NEGATIVE_LOCKTIME)
        return value

    def _checksig(self, verify: bool) -> None:
        """[signature key] -> [whether it holds]."""
        signature, key = to_bytes(self.stack[-2]), to_bytes(self.stack[-1])
        if self.version is SigVersion.TAPSCRIPT:
            holds = self.checker.tapscript(signature, key, self._separator)
        else:
            code = self.checker.script_code(self.code[self._start :], [signature], self.version)
            holds = self.checker.ecdsa(signature, key, code, self.version)
            if not holds and signature and self.checker.flags & Flag.NULLFAIL:
                raise ScriptFailure(ScriptError.NULLFAIL)
        del self.stack[-2:]
        if not verify:
            self.stack.append(1 if holds else 0)
        elif not holds:
            raise ScriptFailure(ScriptError.CHECKSIGVERIFY)

    def _checksigadd(self) -> None:
        """[signature n key] -> [n + whether it holds]."""
        signature = to_bytes(self.stack[-3])
        number, key = self._number(self.stack[-2]), to_bytes(self.stack[-1])
        holds = self.checker.tapscript(signature, key, self._separator)
        self.stack[-3:] = [from_number(number + holds)]

    def _checkmultisig(self, verify: bool) -> None:
        """[dummy signatures m keys n] -> [whether the signatures are by m of the keys, in order]."""
        if self.version is SigVersion.TAPSCRIPT:
            raise ScriptFailure(ScriptError.TAPSCRIPT_CHECKMULTISIG)
        stack, flags = self.stack, self.checker.flags
        num_keys = self._number(stack[-1])
        if not 0 <= num_keys <= MAX_KEYS:
            raise ScriptFailure(ScriptError.PUBKEY_COUNT)
        self._count(num_keys)
        num_signatures = self._number(stack[-2 - num_keys])
        if not 0 <= num_signatures <= num_keys:
            raise ScriptFailure(ScriptError.SIG_COUNT)
        used = 2 + num_keys + num_signatures
        if len(stack) < used:
            raise IndexError
        keys = [to_bytes(stack[-2 - i]) for i in range(num_keys)]
        signatures = [to_bytes(stack[-3 - num_keys - i]) for i in range(num_signatures)]
        code = self.checker.script_code(self.code[self._start :], signatures, self.version)
        holds = self._match(signatures, keys, code)
        if not holds and flags & Flag.NULLFAIL and any(signatures):
            raise ScriptFailure(ScriptError.NULLFAIL)
        if flags & Flag.NULLDUMMY and to_bytes(stack[-1 - used]):
            raise ScriptFailure(ScriptError.SIG_NULLDUMMY)
        if len(stack) <= used:
            raise IndexError
        del stack[-1 - used :]
        if not verify:
            stack.append(1 if holds else 0)
        elif not holds:
            raise ScriptFailure(ScriptError.CHECKMULTISIGVERIFY)

    def _match(self, signatures: list[bytes], keys: list[bytes], code: bytes) -> bool:
        """Whether each signature holds for one of the keys, in order; stops where too few keys are left."""
        left = list(signatures)
        for i, key in enumerate(keys):
            if not left or len(left) > len(keys) - i:
                break
            if self.checker.ecdsa(left[0], key, code, self.version):
                left.pop(0)
        return not left
