"""`pegproof bridge plan` over a small system, and the figures' own arithmetic."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bridge.chunks import tree
from verifier.bridge.chunks.plan import plan, reveal_weight
from verifier.cli.main import cli
from verifier.script.winternitz import LAST, checksum_digits


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return plan(tree()).as_dict()


def test_figures_add_up(figures):
    nodes = tree().nodes
    wires = [wire for node in nodes for group in node.wires for wire in group]
    assert figures["nodes"] == len(nodes)
    assert figures["leaves"] == sum(node.num_leaves for node in nodes)
    assert figures["wires"] == len(wires)
    assert figures["key_digits"] == sum(w.digits + checksum_digits(w.digits) for w in wires)
    assert figures["setup_hash160"] == LAST * figures["key_digits"]
    assert figures["queries"] == 4
    assert figures["dispute_vbytes"] == max(figures["dispute_vbytes_by_kind"].values())
    assert figures["everything_vbytes"] == -(-sum(map(reveal_weight, nodes)) // 4)


def test_leaves_are_within_the_limits(figures):
    assert figures["largest_leaf_bytes"] <= 390_000
    assert figures["peak_stack"] <= 1_000


def test_figures_are_the_same_every_time(figures):
    assert plan(tree()).as_dict() == figures


@pytest.mark.slow
def test_the_command_prints_them():
    """The real statement at the small shape: about a minute of a processor."""
    result = CliRunner().invoke(cli, ["bridge", "plan", "--shape", "small", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["queries"] == 110
    assert found["largest_leaf_bytes"] <= 390_000
    assert found["peak_stack"] <= 1_000
