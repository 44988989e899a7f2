"""Operations that touch nothing but the stack.

A stack item is `bytes`, or an `int` that stands for its shortest encoding: numbers are encoded only where
bytes are asked for. An `int` on the stack always fits four bytes (|n| < 2^31), so that only `bytes` need a
check before use. An operation that finds the stack too short raises `IndexError`, which the interpreter turns
into INVALID_STACK_OPERATION; Core looks at the depth before the values, and so must each operation here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from verifier.bitcoin.encoding import hash160, hash256
from verifier.bitcoin.ripemd160 import ripemd160
from verifier.script.errors import ScriptError, ScriptFailure
from verifier.script.opcodes import Op
from verifier.script.script import decode_number, encode_number, is_minimal_number

Item = int | bytes
Stack = list[Item]
Operation = Callable[[Stack], None]
LIMIT: Final = 1 << 31
"""Numbers are above -LIMIT and below LIMIT."""


def to_bytes(item: Item) -> bytes:
    """The item as its bytes."""
    return item if isinstance(item, bytes) else encode_number(item)


def is_true(item: Item) -> bool:
    """Whether it counts as true: anything but zeros, with or without a sign."""
    if isinstance(item, int):
        return item != 0
    return any(item[:-1]) or (bool(item) and item[-1] not in (0, 0x80))


def to_number(item: Item, minimal: bool, size: int = 4) -> int:
    """The item as a number of at most `size` bytes.

    Raises:
        ScriptFailure: SCRIPTNUM.
    """
    if isinstance(item, int):
        return item
    if len(item) > size or (minimal and not is_minimal_number(item)):
        raise ScriptFailure(ScriptError.SCRIPTNUM)
    return decode_number(item)


def from_number(value: int) -> Item:
    """A result as an item; one beyond four bytes can be kept, but not calculated with."""
    return value if -LIMIT < value < LIMIT else encode_number(value)


def same(a: Item, b: Item) -> bool:
    """Whether two items are the same bytes."""
    return a == b if type(a) is type(b) else to_bytes(a) == to_bytes(b)


def _need(stack: Stack, depth: int) -> None:
    if len(stack) < depth:
        raise IndexError


def _verify(stack: Stack) -> None:
    if not is_true(stack[-1]):
        raise ScriptFailure(ScriptError.VERIFY)
    stack.pop()


def _two_drop(stack: Stack) -> None:
    _need(stack, 2)
    del stack[-2:]


def _two_dup(stack: Stack) -> None:
    _need(stack, 2)
    stack += stack[-2:]


def _three_dup(stack: Stack) -> None:
    _need(stack, 3)
    stack += stack[-3:]


def _two_over(stack: Stack) -> None:
    _need(stack, 4)
    stack += stack[-4:-2]


def _two_rot(stack: Stack) -> None:
    _need(stack, 6)
    stack[-6:] = stack[-4:] + stack[-6:-4]


def _two_swap(stack: Stack) -> None:
    _need(stack, 4)
    stack[-4:] = stack[-2:] + stack[-4:-2]


def _ifdup(stack: Stack) -> None:
    if is_true(stack[-1]):
        stack.append(stack[-1])


def _depth(stack: Stack) -> None:
    stack.append(len(stack))


def _drop(stack: Stack) -> None:
    stack.pop()


def _dup(stack: Stack) -> None:
    stack.append(stack[-1])


def _nip(stack: Stack) -> None:
    del stack[-2]


def _over(stack: Stack) -> None:
    stack.append(stack[-2])


def _rot(stack: Stack) -> None:
    stack.append(stack.pop(-3))


def _swap(stack: Stack) -> None:
    stack.append(stack.pop(-2))


def _tuck(stack: Stack) -> None:
    _need(stack, 2)
    stack.insert(-2, stack[-1])


def _size(stack: Stack) -> None:
    stack.append(len(to_bytes(stack[-1])))


def _equal(stack: Stack) -> None:
    a, b = stack.pop(), stack.pop()
    stack.append(1 if same(a, b) else 0)


def _equalverify(stack: Stack) -> None:
    a, b = stack.pop(), stack.pop()
    if not same(a, b):
        raise ScriptFailure(ScriptError.EQUALVERIFY)


def _hash(function: Callable[[bytes], bytes]) -> Operation:
    def operation(stack: Stack) -> None:
        stack.append(function(to_bytes(stack.pop())))

    return operation


_PLAIN: Final[dict[Op, Operation]] = {
    Op.VERIFY: _verify,
    Op.OP_2DROP: _two_drop,
    Op.OP_2DUP: _two_dup,
    Op.OP_3DUP: _three_dup,
    Op.OP_2OVER: _two_over,
    Op.OP_2ROT: _two_rot,
    Op.OP_2SWAP: _two_swap,
    Op.IFDUP: _ifdup,
    Op.DEPTH: _depth,
    Op.DROP: _drop,
    Op.DUP: _dup,
    Op.NIP: _nip,
    Op.OVER: _over,
    Op.ROT: _rot,
    Op.SWAP: _swap,
    Op.TUCK: _tuck,
    Op.SIZE: _size,
    Op.EQUAL: _equal,
    Op.EQUALVERIFY: _equalverify,
    Op.RIPEMD160: _hash(ripemd160),
    Op.SHA1: _hash(lambda item: hashlib.sha1(item, usedforsecurity=False).digest()),
    Op.SHA256: _hash(lambda item: hashlib.sha256(item).digest()),
    Op.HASH160: _hash(hash160),
    Op.HASH256: _hash(hash256),
}

_UNARY: Final[dict[Op, Callable[[int], int]]] = {
    Op.OP_1ADD: lambda a: a + 1,
    Op.OP_1SUB: lambda a: a - 1,
    Op.NEGATE: lambda a: -a,
    Op.ABS: abs,
    Op.NOT: lambda a: int(a == 0),
    Op.OP_0NOTEQUAL: lambda a: int(a != 0),
}

_BINARY: Final[dict[Op, Callable[[int, int], int]]] = {
    Op.BOOLAND: lambda a, b: int(a != 0 and b != 0),
    Op.BOOLOR: lambda a, b: int(a != 0 or b != 0),
    Op.NUMEQUAL: lambda a, b: int(a == b),
    Op.NUMNOTEQUAL: lambda a, b: int(a != b),
    Op.LESSTHAN: lambda a, b: int(a < b),
    Op.GREATERTHAN: lambda a, b: int(a > b),
    Op.LESSTHANOREQUAL: lambda a, b: int(a <= b),
    Op.GREATERTHANOREQUAL: lambda a, b: int(a >= b),
    Op.MIN: min,
    Op.MAX: max,
}


def table(minimal: bool) -> list[Operation | None]:
    """The operations by opcode; None where more than the stack is needed.

    Args:
        minimal: whether numbers must be encoded in the shortest way (MINIMALDATA).
    """

    def number(item: Item) -> int:
        return to_number(item, minimal)

    def unary(function: Callable[[int], int]) -> Operation:
        def operation(stack: Stack) -> None:
            stack.append(from_number(function(number(stack.pop()))))

        return operation

    def binary(function: Callable[[int, int], int]) -> Operation:
        def operation(stack: Stack) -> None:
            b, a = stack.pop(), stack.pop()
            stack.append(function(number(a), number(b)))

        return operation

    def add(stack: Stack) -> None:
        b, a = stack.pop(), stack.pop()
        total = (a if type(a) is int else number(a)) + (b if type(b) is int else number(b))
        stack.append(total if -LIMIT < total < LIMIT else encode_number(total))

    def sub(stack: Stack) -> None:
        b, a = stack.pop(), stack.pop()
        total = (a if type(a) is int else number(a)) - (b if type(b) is int else number(b))
        stack.append(total if -LIMIT < total < LIMIT else encode_number(total))

    def numequalverify(stack: Stack) -> None:
        b, a = stack.pop(), stack.pop()
        if number(a) != number(b):
            raise ScriptFailure(ScriptError.NUMEQUALVERIFY)

    def within(stack: Stack) -> None:
        high, low, value = stack.pop(), stack.pop(), stack.pop()
        bounds = number(low), number(high)  # all three are read, also where the first comparison decides
        stack.append(1 if bounds[0] <= number(value) < bounds[1] else 0)

    def pick(stack: Stack) -> None:
        _need(stack, 2)
        n = stack.pop()
        if type(n) is not int:
            n = number(n)
        if n < 0:
            raise IndexError
        stack.append(stack[-1 - n])

    def roll(stack: Stack) -> None:
        _need(stack, 2)
        n = stack.pop()
        if type(n) is not int:
            n = number(n)
        if n < 0:
            raise IndexError
        stack.append(stack.pop(-1 - n))

    out: list[Operation | None] = [None] * 256
    for opcode, operation in _PLAIN.items():
        out[opcode] = operation
    for opcode, one in _UNARY.items():
        out[opcode] = unary(one)
    for opcode, two in _BINARY.items():
        out[opcode] = binary(two)
    out[Op.ADD], out[Op.SUB] = add, sub
    out[Op.NUMEQUALVERIFY], out[Op.WITHIN] = numequalverify, within
    out[Op.PICK], out[Op.ROLL] = pick, roll
    return out
