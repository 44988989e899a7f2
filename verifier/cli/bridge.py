"""`pegproof bridge`: the game of challenge and disproof on Bitcoin."""

from __future__ import annotations

import click

from verifier.cli.bridge_plan import plan


@click.group(short_help="the game of challenge and disproof on Bitcoin")
def command() -> None:
    """Play the game by which Bitcoin judges a proof."""


command.add_command(plan)
