"""Program files: assembler text, a Python module that builds one, or code words in hexadecimal."""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

from circuits.machine.abi import Call
from circuits.machine.code import check_code
from circuits.machine.errors import AssemblerError
from circuits.machine.program import Program
from circuits.machine.user_assembler import assemble_user
from circuits.rollup.files import read_file
from verifier.pipeline import PipelineError

Value = int | tuple[int, ...]
"""A constant; several numbers where a module's `build` takes a sequence."""

_WORD = re.compile(r"[0-9a-f]{16}\Z")


def load_code(path: Path, constants: Mapping[str, Value]) -> tuple[int, ...]:
    """Code words of a program file, as a deployment carries them.

    Args:
        path: `*.py`: a module with `build`, called with the constants by name, which gives a `Program`; a file of
            lines of 16 hexadecimal digits: the words; any other: assembler text.
        constants: Named integers.

    Raises:
        StoreError: The file cannot be read.
        PipelineError: It is refused; says where and what to do.
    """
    if path.suffix == ".py":
        return _of_module(path, constants)
    try:
        text = read_file(path).decode()
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: neither text nor code words") from error
    words = text.split()
    try:
        if words and all(map(_WORD.match, words)):
            if constants:
                raise PipelineError(f"{path}: code words take no constants")
            code = tuple(int(word, 16) for word in words)
            check_code(code, min(Call).address, max(Call).address)
            return code
        lists = [name for name, value in constants.items() if not isinstance(value, int)]
        if lists:
            raise PipelineError(f"constant {lists[0]}: assembler text takes single numbers")
        numbers = {name: value for name, value in constants.items() if isinstance(value, int)}
        return assemble_user(text, numbers).encode()
    except AssemblerError as error:
        raise _located(path, error, text) from error


def code_text(code: Sequence[int]) -> str:
    """The content of a file of code words."""
    return "".join(f"{word:016x}\n" for word in code)


def _located(path: Path, error: AssemblerError, text: str) -> PipelineError:
    """The error with file, line and what the line says."""
    lines = text.splitlines()
    said = lines[error.line - 1].strip() if 0 < error.line <= len(lines) else ""
    return PipelineError(f"{path}:{error.line}: {error.message}" + (f"   [{said}]" if said else ""))


def _of_module(path: Path, constants: Mapping[str, Value]) -> tuple[int, ...]:
    read_file(path)  # for its typed errors
    try:
        build = runpy.run_path(str(path)).get("build")
        if build is None:
            raise PipelineError(f"{path}: no function `build` that gives a program")
        program = build(**constants)
    except AssemblerError as error:
        raise PipelineError(f"{path}: the source, {error}") from error
    except (ImportError, SyntaxError, TypeError, ValueError) as error:
        raise PipelineError(f"{path}: {error} (give what `build` takes with --const NAME=VALUE)") from error
    if not isinstance(program, Program):
        raise PipelineError(f"{path}: `build` gives {type(program).__name__}, not a Program")
    return program.encode()
