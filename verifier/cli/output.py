"""What every command shares: results as a table or as JSON, one line for an error, exit codes.

Exit codes: 0 done, 1 refused or failed, 2 usage (click's own). With --json standard output holds one JSON
object, also where the answer is no: {"error": {"kind", "reason", "message"}}.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Params = ParamSpec("Params")
Result = TypeVar("Result")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

console = Console(highlight=False, soft_wrap=True)
diagnostics = Console(stderr=True, highlight=False)

PIPED_WIDTH = 160
"""Of tables in a file or a pipe, which has none of its own: cells are not cut."""


class Refused(click.ClickException):
    """A command did what it was asked and the answer is no; exit code 1."""

    exit_code = 1


def emit(data: Mapping[str, Any], as_json: bool, render: Callable[[], None]) -> None:
    """Prints `data` as one JSON object, or calls `render` for a person."""
    if as_json:
        click.echo(json.dumps(data))
    else:
        render()


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; columns of numbers are set right. Nothing is cut off, and names in front are not broken."""
    out = console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(header):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*[f"{item:,}" if isinstance(item, int) else str(item) for item in row])
    out.print(table)


def fail(message: str) -> NoReturn:
    """Ends the command with exit code 1 and one line."""
    raise Refused(message)


def _known_errors() -> tuple[type[Exception], ...]:
    """Refusals with a message for people; any other exception is a defect and keeps its traceback."""
    from circuits.machine.errors import MachineError
    from circuits.rollup.errors import RollupError
    from circuits.trace.capacity import CapacityError
    from circuits.witness import WitnessError
    from circuits.xmss.errors import XmssError
    from circuits.xmss.wallet_store import WalletError
    from native import KernelError
    from prover.prove import ProvingError
    from verifier.bridge.errors import BridgeError
    from verifier.chain.chain import ChainError
    from verifier.pipeline import PipelineError

    rules = (RollupError, XmssError, WalletError, CapacityError, PipelineError)
    return (
        *rules,
        BridgeError,
        ChainError,
        ProvingError,
        WitnessError,
        MachineError,
        KernelError,
        OSError,
        sqlite3.Error,
    )


def describe(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, MemoryError):
        return "out of memory; `prove` predicts what a shape needs before it starts"
    if isinstance(error, sqlite3.Error):
        return f"database file: {error} (is the disk full?)"
    cause = getattr(error, "got", None)
    where, reason = getattr(error, "where", ""), getattr(error, "reason", None)
    if isinstance(cause, BaseException) and where and reason is not None:
        more = cause.strerror if isinstance(cause, OSError) and "no such" not in str(reason) else None
        return f"{where}: {reason}" + (f" ({more})" if more else "")
    return " ".join(str(error).splitlines()[:1]) or type(error).__name__


def reports_errors(command: Callable[Params, Result]) -> Callable[Params, Result]:
    """Turns typed errors and the system's into one line (or one JSON object) and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if not isinstance(error, (MemoryError, *_known_errors())):
                raise
            refuse(error, bool(kwargs.get("as_json")))

    return wrapped


def refuse(error: Exception, as_json: bool) -> NoReturn:
    """Ends the command with exit code 1 and the error, as JSON or as a line."""
    if as_json:
        reason = getattr(error, "reason", None)
        body = {"kind": type(error).__name__, "reason": reason and reason.name, "message": describe(error)}
        click.echo(json.dumps({"error": body}))
        raise click.exceptions.Exit(1)
    raise Refused(describe(error)) from error


@contextmanager
def progress_bar(title: str, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, fed with (step, share done); nothing where `quiet` or not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda step, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=diagnostics, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda step, share: bar.update(task, description=f"{title}: {step}", completed=share)


def btc(msat: int) -> str:
    """An amount for people: BTC with all eleven digits of a msat."""
    return f"{msat // 10**11}.{msat % 10**11:011d} BTC"
