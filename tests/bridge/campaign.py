"""`make disprove`: the rollup's own proof, attacked wire by wire, hint by hint, file by file; `attacks` says how.

At shape small everything of root, statement, constraints and two queries is committed wrong alone, and a sample of the
rest; at standard a sample of each part. The last lines say what was sampled and what the kernel has judged.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from dataclasses import dataclass, replace
from random import Random
from time import monotonic

from circuits.statement import SHAPES
from tests.bridge.attacks import (
    PARTS,
    Tally,
    case,
    files,
    hint_sets,
    honest_leaves,
    public_values,
    sampled,
    wires,
)
from verifier.bridge.setup.slot_setup import compile_shapes


@dataclass(frozen=True)
class Sizes:
    """How much of a shape is tried; None is all.

    Attributes:
        wires: of each named part.
        rest: wires outside the named parts.
        leaves: of the honest run.
        hints: malformed sets.
        files: mutated ones.
        kernel: of each line of wires, and of the files, how many the kernel judges too.
        honest: the same of the honest leaves.
    """

    wires: int | None
    rest: int | None
    leaves: int | None
    hints: int
    files: int
    kernel: int | None
    honest: int | None


SIZES = {
    "small": Sizes(None, 5_000, None, 10_000, 240, None, 2_000),
    "standard": Sizes(500, 500, 2_000, 1_000, 80, None, 200),
}


def run(shape: str, sizes: Sizes, seed: int, processes: int) -> int:
    """Attacks a shape, prints a line an attack, and returns how many attacks went wrong."""
    rng, started = Random(seed), monotonic()
    it = case(shape)
    print(
        f"shape {shape}, seed {seed}: {len(it.values):,} wires, {sum(map(len, it.tree.leaves)):,} leaves; proven and "
        f"replayed in {monotonic() - started:.0f} s"
    )
    since = monotonic()
    if sizes.wires is None:  # a sample needs few of them
        compile_shapes(it.tree, processes)
        print(f"{len(it.shapes):,} shapes of leaf compiled in {monotonic() - since:.0f} s", flush=True)
    total = Tally()

    def report(name: str, tally: Tally, of: int | None = None) -> None:
        nonlocal since, total
        now = monotonic()
        sample = f" of {of:,}" if of is not None and of != tally.tried else ""
        print(
            f"{name:20}{f'{tally.tried:,}{sample}':>16} tried{tally.on_kernel:8,} on the kernel too"
            f"{len(tally.survivors):4} survive{now - since:7.0f} s  {tally.figures}",
            flush=True,
        )
        for survivor in tally.survivors[:10]:
            print(f"    {survivor}")
        since = now
        total += tally

    since = monotonic()
    report("public values", public_values(it, rng, sizes.kernel, processes))
    for part in (*PARTS, "rest"):
        names = it.names(part)
        chosen = sampled(names, sizes.rest if part == "rest" else sizes.wires, rng)
        report(f"wires: {part}", wires(it, chosen, rng, sizes.kernel, processes), len(names))
    leaves = honest_leaves(it, rng, sizes.leaves, sizes.honest, processes)
    report("honest leaves", leaves, sum(map(len, it.tree.leaves)))
    report("malformed hints", hint_sets(it, rng, sizes.hints, processes=processes))
    report("mutated files", files(it, rng, sizes.files, sizes.kernel, processes))
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
    print(
        f"shape {shape}: {total.tried:,} attacks, {total.on_kernel:,} judged by the kernel, "
        f"{total.tried - total.on_kernel - total.unread:,} by evaluation alone, {total.unread} files are no proof, "
        f"{len(total.survivors)} survive, "
        f"{monotonic() - started:.0f} s with {processes} processes, "
        f"at most {peak[0] / 1e6:.1f} GB in this process and {peak[1] / 1e6:.1f} in another"
    )
    return len(total.survivors)


def main(arguments: list[str] | None = None) -> int:
    """Prints a line an attack; fails where something wrong is not convicted or something right is."""
    parser = argparse.ArgumentParser(prog="make disprove")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="default: all, one after the other")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    for name, text in (
        ("wires", "of each named part"),
        ("rest", "wires outside the named parts"),
        ("leaves", "of the honest run"),
        ("kernel", "wires of each part, and files, that the kernel judges too"),
        ("honest", "honest leaves that the kernel judges too"),
    ):
        parser.add_argument(f"--{name}", type=int, help=f"{text}; -1 is all")
    parser.add_argument("--hints", type=int, help="malformed sets")
    parser.add_argument("--files", type=int, help="mutated files")
    options = vars(parser.parse_args(arguments))
    if min(options["hints"] or 0, options["files"] or 0) < 0:
        parser.error("--hints and --files take a number")
    shapes, seed, processes = (options.pop(name) for name in ("shape", "seed", "processes"))
    asked = {name: None if count < 0 else count for name, count in options.items() if count is not None}
    failed = 0
    for shape in shapes or SHAPES:
        failed += run(shape, replace(SIZES[shape], **asked), seed, processes)
        case.cache_clear()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
