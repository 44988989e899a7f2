"""`pegproof program`: programs as text and as code words."""

from __future__ import annotations

from pathlib import Path

import click

from verifier.cli.output import console, emit, json_option, reports_errors, show_table
from verifier.programs import Value, code_text, load_code

FILE = click.Path(path_type=Path)


def read_constants(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Value]:
    """NAME=VALUE, decimal or 0x; several values with commas."""
    constants: dict[str, Value] = {}
    for text in values:
        name, equals, given = text.partition("=")
        try:
            numbers = tuple(int(part, 0) for part in given.split(","))
        except ValueError as error:
            raise click.BadParameter(f"{text}: NAME=NUMBER is needed") from error
        if not equals or not name.isidentifier() or min(numbers) < 0:
            raise click.BadParameter(f"{text}: NAME=NUMBER is needed")
        constants[name] = numbers[0] if len(numbers) == 1 else numbers
    return constants


const_option = click.option(
    "--const",
    "constants",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_constants,
    help="A constant of the source, or an argument of the module's `build` (several numbers with commas).",
)


@click.group(short_help="programs as text and as code words")
def command() -> None:
    """Assemble user programs, and read them.

    A program file is assembler text, a Python module with a function `build` that gives a program (as those in
    examples/programs), or the code words that `assemble` writes. docs/machine.md is the language.
    """


@command.command("assemble", short_help="check a program file, show its size and price")
@click.argument("source", type=FILE)
@const_option
@click.option("-o", "--output", type=FILE, help="Write the code words here, one a line.")
@json_option
@reports_errors
def assemble(source: Path, constants: dict[str, Value], output: Path | None, as_json: bool) -> None:
    """Assemble the program file SOURCE. Errors name the line and what to do."""
    from circuits.rollup.codec import elements_bytes
    from circuits.rollup.files import write_atomic
    from circuits.rollup.hashing import code_digest
    from circuits.rollup.types import Deploy

    code = load_code(source, constants)
    if output is not None:
        write_atomic(output, code_text(code).encode())
    deploy = Deploy(0, 0, 0, code, 0)
    figures = {
        "instructions": len(code),
        "deploy_gas": deploy.gas,
        "deploy_bytes": deploy.num_bytes,
        "code_hash": elements_bytes(code_digest(code)).hex(),
        "output": None if output is None else str(output),
    }

    def render() -> None:
        console.print(
            f"{source}: {len(code)} instructions; deploying takes {deploy.gas:,} gas, {deploy.num_bytes:,} bytes"
        )
        console.print(f"code hash {figures['code_hash']}")
        if output is not None:
            console.print(f"code words in {output}")

    emit(figures, as_json, render)


@command.command("disassemble", short_help="a program as text")
@click.argument("source", type=FILE, required=False)
@const_option
@click.option("--batch", type=FILE, help="Show a deployed program: of this batch directory's ledger, ...")
@click.option("--cell", type=click.IntRange(min=0), help="... the one in this cell.")
@json_option
@reports_errors
def disassemble(
    source: Path | None, constants: dict[str, Value], batch: Path | None, cell: int | None, as_json: bool
) -> None:
    """Show the instructions of the program file SOURCE, or of a deployed program (--batch and --cell).

    Macros are shown as the instructions that they are; the text can be assembled again.
    """
    from circuits.machine.user_assembler import disassemble_code

    if source is not None and batch is None and cell is None:
        code = load_code(source, constants)
    elif source is None and batch is not None and cell is not None:
        code = _deployed(batch, cell)
    else:
        raise click.UsageError("give either SOURCE, or --batch and --cell")
    text = disassemble_code(code)
    emit({"code": code_text(code).split(), "text": text}, as_json, lambda: click.echo(text, nl=False))


@command.command("reference", short_help="instructions and system calls")
@json_option
def reference(as_json: bool) -> None:
    """Show the instructions that programs consist of, and the system calls."""
    from circuits.machine import manual

    parts = (
        ("instructions", manual.INSTRUCTION_HEADER, manual.user_rows()),
        ("system calls", manual.CALL_HEADER, manual.call_rows()),
        ("context", manual.CONTEXT_HEADER, manual.context_rows()),
    )
    figures = {name: [dict(zip(header, row, strict=True)) for row in rows] for name, header, rows in parts}

    def render() -> None:
        for title, header, rows in parts:
            show_table(title, header, rows)

    emit(figures, as_json, render)


def _deployed(directory: Path, cell: int) -> tuple[int, ...]:
    """Code of a program in the committed ledger of a batch directory."""
    from circuits.rollup.cells import ProgramCell
    from circuits.rollup.sample import STATE_FILE
    from circuits.rollup.store import Store
    from verifier.pipeline import PipelineError

    with Store.open(directory / STATE_FILE) as store:
        ledger = store.ledger()
    found = ledger.cells.get(cell)
    if not isinstance(found, ProgramCell):
        raise PipelineError(f"cell {cell} is no program in the committed ledger of {directory}")
    return ledger.codes[found.code_hash]
