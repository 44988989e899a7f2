"""How a demo speaks: headings, paragraphs, and the error that ends it."""

from __future__ import annotations

from verifier.cli.output import console

__all__ = ["DemoFailed", "console", "heading", "say"]


class DemoFailed(RuntimeError):
    """Something in the demo did not go as told; exit code 1."""


def heading(text: str) -> None:
    """A step of the story."""
    console.print(f"\n[bold cyan]{text}[/]")


def say(text: str) -> None:
    """A paragraph of it."""
    console.print(" ".join(text.split()))
