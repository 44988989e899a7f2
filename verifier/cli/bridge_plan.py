"""`pegproof bridge plan`: the opening tree of a shape and what a dispute about it costs."""

from __future__ import annotations

import click

from circuits.statement import SHAPES
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.plan import plan as make_plan
from verifier.cli.output import emit, json_option, progress_bar, reports_errors, show_table
from verifier.pipeline import DEFAULT_PRESET, verifying_key


@click.command("plan", short_help="nodes, leaves, keys, and the cost of a dispute")
@click.option("--shape", "shape_name", type=click.Choice(SHAPES), default=SHAPES[0], show_default=True)
@json_option
@reports_errors
def plan(shape_name: str, as_json: bool) -> None:
    """Cut the verifier of a shape into tapscripts and show the figures; the same every time."""
    with progress_bar("plan", as_json) as bar:
        tree = ChunkTree.of(verifying_key(DEFAULT_PRESET, shape_name))
        found = make_plan(tree, lambda share: bar("scripts", share))
    rows = [
        (name.replace("_", " "), value)
        for name, value in found.as_dict().items()
        if not isinstance(value, dict)
    ]
    rows += [(f"dispute vbytes: {kind}", size) for kind, size in found.dispute_vbytes_by_kind.items()]
    data = {"shape": shape_name, "preset": DEFAULT_PRESET, **found.as_dict()}
    emit(data, as_json, lambda: show_table("Opening tree", ("figure", "value"), rows))
