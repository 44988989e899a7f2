"""The picture of the transaction graph in docs/bridge.svg, drawn from the templates: one child stands for all.

`python -m verifier.bridge.game.picture > docs/bridge.svg`
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from verifier.bitcoin.sighash import Sighash
from verifier.bridge.game.model import ModelTree, model_graph
from verifier.bridge.game.params import MARGINS, Windows
from verifier.bridge.game.template import Input, Signer, Template

_BOX: Final = (150, 40)
_STEP: Final = (330, 104)
_MARGIN: Final = 20
_FILL: Final = {
    "kickoff": "#eef3fa",
    "assert": "#eef3fa",
    "reveal": "#eef3fa",
    "close": "#eef3fa",
    "take1": "#e6f4e6",
    "take2": "#e6f4e6",
    "challenge": "#fff6dd",
    "open": "#fff6dd",
}
_PENALTY: Final = "#fbe3e3"
_SIGHASH: Final = {
    Sighash.DEFAULT: "all",
    Sighash.NONE: "none",
    Sighash.SINGLE: "single",
    Sighash.SINGLE_ANYONECANPAY: "single, anyone can pay",
}


def templates() -> list[Template]:
    """A slot whose tree is a root and one child, and its takes of one vault."""
    graph, vault = model_graph(ModelTree(1, 1), Windows(), MARGINS)
    return [*graph.templates(), graph.take1(vault), graph.take2(vault)]


def columns(made: Sequence[Template]) -> dict[str, tuple[int, int]]:
    """Column (the longest way from the kickoff) and row of each template."""
    maker = {template.tx.txid: template for template in made}
    depth: dict[str, int] = {}

    def place(template: Template) -> int:
        if template.name not in depth:
            parents = [maker.get(each.coin.outpoint.txid) for each in template.inputs]
            depth[template.name] = max((place(parent) + 1 for parent in parents if parent), default=0)
        return depth[template.name]

    rows: dict[int, int] = {}
    out = {}
    for template in made:
        column = place(template)
        out[template.name] = (column, rows.get(column, 0))
        rows[column] = rows.get(column, 0) + 1
    return out


def label(each: Input) -> str:
    """A coin, who signs it and what, and its lock."""
    signed = f"{each.signer}, {_SIGHASH[each.sighash]}"
    if each.leaf == 0 and each.signer is Signer.COMMITTEE:
        signed += " + wires"
    if each.leaf == -1:
        signed += " + leaf"
    lock = f", {each.csv} blocks" if each.csv > 1 else ""
    return f"{each.coin.name} [{signed}]{lock}"


def picture() -> str:
    """The SVG."""
    made = templates()
    at = columns(made)
    maker = {template.tx.txid: template.name for template in made}
    corner = {name: (_MARGIN + column * _STEP[0], 50 + row * _STEP[1]) for name, (column, row) in at.items()}
    width = max(x for x, _ in corner.values()) + _BOX[0] + _MARGIN
    height = max(y for _, y in corner.values()) + _STEP[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" role="img" aria-label="The transaction graph of one operator slot">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>',
        f'<text x="{_MARGIN}" y="28" font-size="15" font-weight="bold">One slot: what each transaction spends'
        "</text>",
    ]
    for template in made:
        x, y = corner[template.name]
        for number, each in enumerate(template.inputs):
            below = y + _BOX[1] + 12 * (number + 1)
            parts.append(f'<text x="{x}" y="{below}" font-size="10" fill="#444">{escape(label(each))}</text>')
            if each.coin.outpoint.txid not in maker:
                continue
            from_x, from_y = corner[maker[each.coin.outpoint.txid]]
            start = from_y + _BOX[1] // 2
            end = y + _BOX[1] * (number + 1) // (len(template.inputs) + 1)
            parts.append(
                f'<path d="M{from_x + _BOX[0]} {start}C{from_x + _BOX[0] + 50} {start} {x - 60} {end} {x - 1} {end}" '
                'fill="none" stroke="#999" marker-end="url(#a)"/>'
            )
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="6" stroke="#4a6fa5" '
            f'fill="{_FILL.get(template.kind, _PENALTY)}"/>'
        )
        parts.append(
            f'<text x="{x + _BOX[0] // 2}" y="{y + 25}" text-anchor="middle" font-weight="bold">'
            f"{escape(template.name)}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    print(picture(), end="")
