"""The machine's loop in C (csrc/executor.c) for `circuits.machine.executor`, which says what the arrays hold."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from native import backend
from native.checks import U32, describe
from native.errors import KernelError

_I64, _U32 = np.int64, np.uint32
_ARRAYS: Final[dict[str, tuple[type[Any], tuple[int | str, ...]]]] = {
    "rom": (_I64, ("rom_rows", 6)),
    "code": (_I64, ("code_rows", 6)),
    "starts": (_I64, ("starts",)),
    "hashes": (_U32, ("programs", 8)),
    "tape": (_U32, (4, "hints")),
    "given": (_I64, ("cells",)),
    "given_words": (_U32, ("cells", 5, 4)),
    "keys": (_I64, ("places",)),
    "before": (_U32, ("places", 5, 4)),
    "after": (_U32, ("places", 5, 4)),
    "log_pc": (_U32, ("steps",)),
    "log_words": (_U32, (12, "steps")),
    "log_h": (_U32, (8, "steps")),
    "log_instruction": (_U32, (6, "steps")),
    "log_state": (_U32, (7, "steps")),
    "public_words": (_U32, ("publics", 4)),
    "public_set": (_U32, ("publics",)),
    "leaves": (_U32, ("exits", 8)),
    "leaf_set": (_U32, ("exits",)),
    "requests": (_U32, ("steps",)),
    "entered": (_I64, ("programs",)),
    "shadow_at": (_I64, ("places", 5)),
    "shadow_keys": (_I64, ("shadows", 3)),
    "shadow_seeds": (_U32, ("shadows", 4)),
    "shadow_last": (_U32, ("shadows", 4)),
    "counters": (_I64, (6,)),
}
"""Element type and shape of each array; equal names are equal lengths."""


def execute(max_steps: int, **arrays: npt.NDArray[Any]) -> int:
    """Runs a program to HALT or to a step without a trace; gives the loop's status.

    Args:
        max_steps: steps allowed.
        arrays: those of `executor_jit.execute`, instructions well formed (what they hold is trusted).

    Raises:
        KernelError: a missing array, another type or shape, or no C build.
    """
    if backend._module is None:
        raise KernelError("execute", "the C build (python -m native.build)", "none")
    if arrays.keys() != _ARRAYS.keys():
        raise KernelError("execute", f"arrays {list(_ARRAYS)}", str(list(arrays)))
    ffi, lengths = backend._module.ffi, dict[str, int]()
    fields: dict[str, Any] = {}
    for name, (kind, shape) in _ARRAYS.items():
        array = arrays[name]
        known = array.ndim == len(shape) and array.dtype == kind and array.flags.c_contiguous
        pairs = zip(shape, array.shape, strict=False)
        if not known or any(
            have != (want if isinstance(want, int) else lengths.setdefault(want, have))
            for want, have in pairs
        ):
            raise KernelError("execute", f"{name}: C-contiguous {kind.__name__} {shape}", describe(array))
        word = "int64_t *" if kind is _I64 else "uint32_t *"
        fields[name] = ffi.cast(word, array.__array_interface__["data"][0])
    places = lengths["places"]
    if lengths.pop("starts") != lengths["programs"] + 1 or places < 1 or places & (places - 1):
        raise KernelError("execute", "a start and an end of each program, a power of two of places", "other")
    return int(
        backend._module.lib.pp_execute(
            ffi.new("struct execution *", {**fields, **lengths, "max_steps": max_steps})
        )
    )


def hash_words(words: npt.NDArray[np.uint64], tag: int) -> U32:
    """A chain of width-24 compressions from zero, one word a step. Shapes: (n,) -> (8,).

    Raises:
        KernelError: another type, or no C build.
    """
    if backend._module is None:
        raise KernelError("hash_words", "the C build (python -m native.build)", "none")
    if words.dtype != np.uint64 or words.ndim != 1 or not words.flags.c_contiguous:
        raise KernelError("hash_words", "C-contiguous uint64 (n)", describe(words))
    digest, ffi = np.empty(8, np.uint32), backend._module.ffi
    source, target = (array.__array_interface__["data"][0] for array in (words, digest))
    backend._module.lib.pp_hash_words(
        ffi.cast("uint64_t *", source), len(words), tag, ffi.cast("uint32_t *", target)
    )
    return digest
