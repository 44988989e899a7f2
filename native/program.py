"""The interpreter of the verifier's Program (csrc/program.c): checked once, run on many proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from native import backend, checks
from native.checks import U32
from native.errors import KernelError

INSTRUCTION_WORDS = 8
DIGEST, EXT, WIDE, BLOCK = 8, 6, 16, 16
FOR_EACH = 21

# What an instruction writes (destination) and reads (a, b, c), in words: "n" stands for its count, "6n" for
# six times it, None for an operand that is no address.
_SIZES: dict[int, tuple[int | str | None, ...]] = {
    0: ("n", None, None, None),  # READ_ELEMENTS
    1: ("n", None, None, None),  # READ_WORDS
    2: ("n", "n", None, None),  # COPY
    3: (DIGEST, "n", None, None),  # HASH
    4: (WIDE, "n", None, None),  # HASH_WIDE
    5: ("n", 1, None, None),  # BITS
    6: ("n", 1, "n", "n"),  # SELECT
    7: (EXT, WIDE, None, None),  # CHALLENGE
    8: (1, 1, 1, None),  # MUL
    9: (EXT, EXT, EXT, None),  # EXT_ADD
    10: (EXT, EXT, EXT, None),  # EXT_SUB
    11: (EXT, EXT, EXT, None),  # EXT_MUL
    12: (EXT, EXT, 1, None),  # EXT_SCALE
    13: (EXT, EXT, None, None),  # EXT_INVERSE
    14: (EXT, 1, None, None),  # EMBED
    15: ("6n", EXT, None, None),  # POWERS
    16: (EXT, "6n", "n", None),  # DOT
    17: (EXT, "6n", "6n", None),  # EXT_DOT
    18: (0, "n", "n", None),  # ASSERT_EQUAL
    19: (0, "n", None, None),  # ASSERT_ZERO
    20: (0, "n", None, None),  # ASSERT_NOT_ALL_ZERO
}


class ProgramFailure(NamedTuple):
    """The assertion that failed: its block, its instruction there, and the item the block ran for."""

    block: int
    instruction: int
    item: int


class ProgramCode:
    """A Program ready to run. Addresses and reads are checked here, once for all bodies.

    Attributes:
        memory_words: size of the memory that `run` returns.
        body_words: length of the body that `run` takes.
    """

    def __init__(
        self,
        blocks: Sequence[U32],
        reads: Sequence[int],
        items: Sequence[int],
        initial: U32,
        body_words: int,
        contexts: Sequence[Sequence[int]],
    ) -> None:
        """Checks the code.

        Args:
            blocks: main program first, then sub-programs.
            reads: words of body that a run of each block reads.
            items: where each sub-program finds its item.
            initial: memory before a run.
            body_words: length of the body.
            contexts: BLAKE3 context keys by number.

        Shapes:
            blocks: (k, 8) each; contexts: eight words each.

        Raises:
            KernelError: an operation, address or offset that does not fit, or no C build.
        """
        if backend._module is None:
            raise KernelError("ProgramCode", "the C build (python -m native.build)", "none")
        self._blocks = [checks.array("ProgramCode", block, None, INSTRUCTION_WORDS) for block in blocks]
        self._initial = checks.array("ProgramCode", initial, None)
        self.memory_words, self.body_words = len(initial), body_words
        self._reads = np.asarray(reads, np.uint32)
        self._items = np.asarray(items, np.uint32)
        self._keys = np.asarray(contexts, np.uint32).reshape(-1, 8)
        for number in range(len(blocks)):
            self._check(number, body_words if number == 0 else int(self._reads[number]))
        self._pointers = np.array([b.__array_interface__["data"][0] for b in self._blocks], np.uintp)
        self._lengths = np.array([len(b) for b in self._blocks], np.uintp)

    def _check(self, number: int, body_words: int) -> None:
        code = self._blocks[number].astype(np.int64)
        op, count = code[:, 0], code[:, 5]

        def refuse(bad: npt.NDArray[np.bool_], what: str) -> None:
            if bad.any():
                line = self._blocks[number][int(np.argmax(bad))]
                raise KernelError("ProgramCode", what, f"block {number}, {line.tolist()}")

        refuse(op > FOR_EACH, "a known operation")
        for known, sizes in _SIZES.items():
            lines, written = op == known, np.zeros_like(count)
            for position, size in zip((1, 2, 3, 4), sizes, strict=True):
                if size is None:
                    continue
                length = size if isinstance(size, int) else count * (EXT if size == "6n" else 1)
                refuse(lines & (code[:, position] + length > self.memory_words), "addresses inside memory")
                if position == 1:
                    written += length
                else:
                    over = (code[:, position] < code[:, 1] + written) & (
                        code[:, 1] < code[:, position] + length
                    )
                    refuse(lines & (written > 0) & over, "operands apart from the result")
        refuse((op <= 1) & (code[:, 2] + count > body_words), "reads inside the body")
        refuse(((op == 3) | (op == 4)) & (code[:, 3] >= len(self._keys)), "a known context")
        refuse(((op == 3) | (op == 4)) & (count == 0), "something to hash")
        refuse((op == 5) & (count > 32), "at most 32 bits")
        refuse((op == 15) & (count == 0), "at least one power")
        loops = op == FOR_EACH
        refuse(loops & (number != 0), "no loop within a loop")
        refuse(loops & ((code[:, 4] == 0) | (code[:, 4] >= len(self._blocks))), "a known sub-program")
        for line in code[loops]:
            _, offset, items, width, block, times, _, _ = (int(word) for word in line)
            fits = items + times * width <= self.memory_words
            fits &= int(self._items[block]) + width <= self.memory_words
            fits &= offset + times * int(self._reads[block]) <= body_words
            if not fits:
                raise KernelError("ProgramCode", "a loop inside memory and body", str(line.tolist()))
            if int(self._items[block]) < items + times * width and items < int(self._items[block]) + width:
                raise KernelError("ProgramCode", "the item apart from the items", str(line.tolist()))

    def run(self, body: U32, public_address: int, public_values: U32) -> tuple[ProgramFailure | None, U32]:
        """Runs on one proof; gives the failed assertion (None: accepted) and the memory.

        Shapes: body (body_words); public_values (n).
        """
        checks.array("ProgramCode.run", body, self.body_words)
        memory = self._initial.copy()
        memory[public_address : public_address + len(public_values)] = public_values
        failure = np.zeros(3, np.uint32)
        ffi, lib = backend._module.ffi, backend._module.lib

        def pointer(array: npt.NDArray[Any], kind: str) -> object:
            return ffi.cast(kind, array.__array_interface__["data"][0])

        accepted = lib.pp_program_run(
            pointer(self._pointers, "const uint32_t *const *"),
            pointer(self._lengths, "const size_t *"),
            pointer(self._reads, "const uint32_t *"),
            pointer(self._items, "const uint32_t *"),
            pointer(self._keys, "const uint32_t *"),
            pointer(body, "const uint32_t *"),
            pointer(memory, "uint32_t *"),
            pointer(failure, "uint32_t *"),
        )
        if accepted:
            return None, memory
        return ProgramFailure(int(failure[0]), int(failure[1]), int(failure[2])), memory


def first_non_canonical(body: U32, spans: U32) -> int | None:
    """First word of the spans (start, length) that is not below p. Shapes: body (n), spans (k, 2).

    Raises:
        KernelError: a span ends beyond the body, or the C build is missing.
    """
    checks.array("first_non_canonical", body, None)
    checks.array("first_non_canonical", spans, None, 2)
    if len(spans) and int((spans[:, 0].astype(np.int64) + spans[:, 1]).max()) > len(body):
        raise KernelError("first_non_canonical", "spans inside the body", str(len(body)))
    if backend._module is None:
        raise KernelError("first_non_canonical", "the C build (python -m native.build)", "none")
    ffi = backend._module.ffi
    arguments = [ffi.cast("const uint32_t *", a.__array_interface__["data"][0]) for a in (body, spans)]
    found = int(backend._module.lib.pp_first_non_canonical(*arguments, len(spans)))
    return None if found < 0 else found
