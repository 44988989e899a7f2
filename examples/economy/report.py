"""The season's pictures: where the sats came from and went, what each staker earned, solvency batch by batch."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from circuits.programs.solvency import Solvency
from examples.economy.picture import draw
from examples.economy.season import Season

MSAT = 1000
"""Of a sat."""


def flows(season: Season) -> dict[tuple[str, str], int]:
    """From what transactions were for, by kind of fee, to those who got it; in msat.

    All that was charged has been shared out: the season ends with a block without transactions.
    """
    account, found = season.account, Counter[tuple[str, str]]()
    for (kind, source), amount in account.charged.items():
        found[kind, source] += amount
    to_sequencers = account.shared["sequencers"]
    for source, amount in account.income.items():
        found[source, "income"] += amount
    found["income", "stakers"] = account.shared["stakers"]
    found["income", "sequencers"] = to_sequencers
    found["income", "fund"] = account.shared["fund"]
    for who, (_, earned) in season.earned().items():
        found["stakers", who] += earned
    return {pair: amount for pair, amount in found.items() if amount}


def figure(season: Season, held: Sequence[Solvency]) -> Figure:
    """All three on one page."""
    matplotlib.rcParams["svg.hashsalt"] = "pegproof"  # the same picture for the same season
    page = Figure(figsize=(13, 12), layout="constrained")
    grid = page.add_gridspec(2, 2, height_ratios=(3, 2))
    top = page.add_subplot(grid[0, :])
    top.set_title("Income in BTC: every msat from a transaction to whom it went")
    draw(top, flows(season), "sat", MSAT)
    left = page.add_subplot(grid[1, 0])
    left.set_title("What stakers earned against what they staked")
    for who, (staked, earned) in season.earned().items():
        left.scatter(staked / MSAT, earned / MSAT)
        left.annotate(
            who, (staked / MSAT, earned / MSAT), textcoords="offset points", xytext=(6, 4), fontsize=8
        )
    left.set_xlabel("stake, sat x blocks / blocks")
    left.set_ylabel("earned, sat")
    right = page.add_subplot(grid[1, 1])
    right.set_title("Solvency: the vault is what is owed, after every batch")
    kinds = list(dict.fromkeys(kind for state in held for kind in state.held))
    rows = [[state.held.get(kind, 0) / MSAT for state in held] for kind in kinds]
    right.stackplot(range(1, len(held) + 1), *rows, labels=kinds)
    right.plot(range(1, len(held) + 1), [s.supply / MSAT for s in held], "k--", linewidth=1, label="supply")
    right.set_ylim(min(s.supply for s in held) * 0.9 / MSAT)
    right.set_xlabel("batch")
    right.legend(fontsize=7, loc="lower right")
    return page


def write(season: Season, held: Sequence[Solvency], out: Path) -> tuple[Path, Path]:
    """The page as PNG and as HTML that needs nothing else."""
    page = figure(season, held)
    png, html = out / "season.png", out / "season.html"
    page.savefig(png, dpi=110, metadata={"Software": ""})
    buffer = io.BytesIO()
    page.savefig(buffer, format="svg", metadata={"Date": None})
    picture = base64.b64encode(buffer.getvalue()).decode()
    account = season.account
    rows = "".join(
        f"<tr><td>{kind}</td><td>{source}</td><td style='text-align:right'>{amount:,}</td></tr>"
        for (kind, source), amount in sorted(account.charged.items())
        if amount
    )
    html.write_text(
        "<!doctype html><meta charset=utf-8><title>A season</title><body style='font-family:sans-serif;max-width:75em'>"
        f"<h1>A season of {len(held)} batches</h1><img style='width:100%' alt='flows, yields, solvency' "
        f"src='data:image/svg+xml;base64,{picture}'><h2>Charged, msat</h2><table>{rows}</table>"
        f"<p>Untraced: {account.untraced} msat. Supply differs by {account.supply} msat.</p>"
    )
    return png, html
