"""What every command shares: results as a table or as JSON, one line for an error, exit codes.

Exit codes: 0 done, 1 refused or failed, 2 usage (click's own).
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

Params = ParamSpec("Params")
Result = TypeVar("Result")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

console = Console()
diagnostics = Console(stderr=True)


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
    """Prints a table; columns of numbers are set right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(header):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*[f"{item:,}" if isinstance(item, int) else str(item) for item in row])
    console.print(table)


def fail(message: str) -> NoReturn:
    """Ends the command with exit code 1 and one line."""
    raise Refused(message)


def reports_errors(command: Callable[Params, Result]) -> Callable[Params, Result]:
    """Turns the packages' typed errors and the system's into one line and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except click.ClickException:
            raise
        except MemoryError as error:
            raise Refused("out of memory; `prove` predicts what a shape needs before it starts") from error
        except (ValueError, OSError) as error:  # every package's error class is a ValueError
            raise Refused(f"{type(error).__name__}: {error}") from error

    return wrapped


@contextmanager
def progress_bar(title: str, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, fed with (step, share done); nothing where `quiet` or not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda step, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=diagnostics, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda step, share: bar.update(task, description=f"{title}: {step}", completed=share)
