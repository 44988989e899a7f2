"""The `pegproof` command. Each subcommand lives in a module of its own and is imported when it is called."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "sample": "make a signed batch over a fresh ledger",
    "wallet": "keys, and signatures that never reuse a leaf",
    "program": "programs as text and as code words",
    "batch": "start the next batch of a ledger, take in events of Bitcoin",
    "execute": "run a batch and show what it does",
    "trace": "each step of a transaction, with registers and gas",
    "publish": "write what a ledger has published, and its inbox events",
    "rebuild": "the state from published data and inbox events",
    "exit": "the batch of one's own forced exit, from published data alone",
    "yield": "an account's income, every msat to its source",
    "solvency": "the vault is what is owed, by kind, after a batch",
    "prove": "prove a batch",
    "verify": "verify a proof",
    "inspect": "what a proof contains and says",
    "security": "proven soundness, term by term",
    "cells": "trace cells of each operation",
    "bridge": "the game of challenge and disproof on Bitcoin",
    "bench": "speed here, beside the figures of others",
    "doctor": "which kernels run here, and why",
}


MODULES = {"yield": "yield_"}
"""Of commands whose name Python keeps for itself."""


class LazyGroup(click.Group):
    """Imports a subcommand's module only when it is needed: `pegproof --help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which an operator meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command object of module verifier.cli.<name>."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"verifier.cli.{MODULES.get(name, name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pegproof")
def cli() -> None:
    """Proofs of a Bitcoin layer 2: signed transactions in, a 128-bit STARK proof out."""


if __name__ == "__main__":
    cli()
