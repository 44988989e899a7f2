"""A flow diagram (Sankey): columns of nodes, ribbons as wide as the amounts that flow between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

Flows = Mapping[tuple[str, str], int]
"""(from, to) -> amount."""
_COLOURS = ("#4878a8", "#e0873e", "#5a9f68", "#c1554e", "#8a72b3", "#8d6f5f", "#c97fb0", "#7f7f7f")
_NODE_WIDTH, _GAP = 0.03, 0.03


@dataclass(frozen=True)
class _Node:
    """Where a node stands, in the unit square."""

    x: float
    bottom: float
    height: float
    colour: str


def columns_of(flows: Flows) -> list[list[str]]:
    """Nodes by their distance from a source, in order of appearance.

    Raises:
        ValueError: The flows go in a circle.
    """
    nodes = dict.fromkeys(name for pair in flows for name in pair)
    depth = dict.fromkeys(nodes, 0)
    for _ in range(len(nodes)):
        deeper = {to: depth[source] + 1 for source, to in flows if depth[to] <= depth[source]}
        if not deeper:
            break
        depth |= deeper
    else:
        raise ValueError("flows in a circle have no columns")
    return [[name for name in nodes if depth[name] == k] for k in range(max(depth.values(), default=-1) + 1)]


def draw(axes: Axes, flows: Flows, unit: str, per: int = 1) -> None:
    """Draw flows from left to right; each node says its amount.

    Args:
        axes: Where.
        flows: Amounts above 0; no circles.
        unit: Of the labels.
        per: Amounts are counted in so many parts of it.

    Raises:
        ValueError: The flows go in a circle.
    """
    axes.set_axis_off()
    columns = columns_of(flows)
    if not columns:
        return
    into: dict[str, int] = defaultdict(int)
    out: dict[str, int] = defaultdict(int)
    for (source, to), amount in flows.items():
        out[source] += amount
        into[to] += amount
    size = {name: max(into[name], out[name]) for column in columns for name in column}
    nodes = _placed(columns, size)
    left, right = dict.fromkeys(nodes, 0.0), dict.fromkeys(nodes, 0.0)
    for (source, to), amount in sorted(flows.items(), key=lambda flow: -nodes[flow[0][1]].bottom):
        a, b = nodes[source], nodes[to]
        width = a.height * amount / size[source], b.height * amount / size[to]
        _ribbon(axes, a, a.bottom + a.height - right[source], b, b.bottom + b.height - left[to], width)
        right[source] += width[0]
        left[to] += width[1]
    for name, node in nodes.items():
        axes.add_patch(Rectangle((node.x, node.bottom), _NODE_WIDTH, node.height, color=node.colour))
        last = node.x > 0.5
        axes.text(
            node.x - 0.008 if last else node.x + _NODE_WIDTH + 0.008, node.bottom + node.height / 2,
            f"{name}\n{size[name] / per:,.0f} {unit}", ha="right" if last else "left", va="center", fontsize=7,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _placed(columns: Sequence[Sequence[str]], size: Mapping[str, int]) -> dict[str, _Node]:
    most = max(len(column) for column in columns)
    largest = max(sum(size[name] for name in column) for column in columns)
    scale = (1 - _GAP * (most - 1)) / largest
    nodes, colour = {}, 0
    for number, column in enumerate(columns):
        x = (1 - _NODE_WIDTH) * number / max(len(columns) - 1, 1)
        total = scale * sum(size[name] for name in column) + _GAP * (len(column) - 1)
        top = 0.5 + total / 2
        for name in column:
            height = scale * size[name]
            nodes[name] = _Node(x, top - height, height, _COLOURS[colour % len(_COLOURS)])
            top -= height + _GAP
            colour += 1
    return nodes


def _ribbon(axes: Axes, a: _Node, top_a: float, b: _Node, top_b: float, width: tuple[float, float]) -> None:
    x0, x1 = a.x + _NODE_WIDTH, b.x
    half = (x0 + x1) / 2
    points = [
        (x0, top_a), (half, top_a), (half, top_b), (x1, top_b),
        (x1, top_b - width[1]), (half, top_b - width[1]), (half, top_a - width[0]), (x0, top_a - width[0]),
        (x0, top_a),
    ]  # fmt: skip
    curve = Outline.CURVE4
    codes = [Outline.MOVETO, curve, curve, curve, Outline.LINETO, curve, curve, curve, Outline.CLOSEPOLY]
    axes.add_patch(PathPatch(Outline(points, codes), facecolor=a.colour, alpha=0.35, linewidth=0))
