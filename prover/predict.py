"""What a proof will cost: field elements to commit, and peak memory, before any work starts. Plain Python."""

from __future__ import annotations

import os
from dataclasses import dataclass

from prover.air.graph import air_graph
from prover.field import DEGREE
from prover.hashing import DIGEST_WORDS
from prover.layout import UNKEPT_LEVELS, Layout, TreeName, streamed_columns

_WORD = 4


@dataclass(frozen=True)
class Prediction:
    """A proof's cost.

    Attributes:
        cells: trace elements of main and interaction columns; time is about proportional to it.
        committed_elements: elements of all low-degree extensions but the preprocessed.
        peak_bytes: most memory alive at once, tables and preprocessed data included.
        peak_step: where.
    """

    cells: int
    committed_elements: int
    peak_bytes: int
    peak_step: str


def _streaming(width: int, num_rows: int, blowup: int, workers: int) -> int:
    """Words that extending and hashing a class of `width` columns needs beside the columns and the digests."""
    points = num_rows * blowup
    group = min(streamed_columns(points), width) * points
    hashes = DIGEST_WORDS * points * (width // 256).bit_length()  # subtrees of BLAKE3's chunks
    return group + hashes + _transform(num_rows, blowup, workers)


def _transform(num_rows: int, blowup: int, workers: int) -> int:
    """Scratch of a transform: a column a thread, or two long ones, and the powers of the cosets' shifts."""
    abreast = 2 if num_rows >= 1 << 19 else 1
    return (workers * abreast + 1) * num_rows * blowup


def predict(layout: Layout, *, consume: bool = False, workers: int | None = None) -> Prediction:
    """Follows the prover's steps and adds up what each keeps and needs beside.

    Args:
        layout: figures.
        consume: as in `prove`.
        workers: threads; default: one a processor.
    """
    threads, blowup = workers or os.cpu_count() or 1, layout.params.blowup
    words: dict[TreeName, int] = dict.fromkeys(TreeName, 0)
    leaves, streaming = dict.fromkeys(TreeName, 0), dict.fromkeys(TreeName, 0)
    for tree in layout.trees:
        words[tree.name] = sum(c.width << c.log_height for c in tree.classes)
        leaves[tree.name] = sum(DIGEST_WORDS * blowup << c.log_height for c in tree.classes)
        # And the levels that are kept above them.
        leaves[tree.name] += DIGEST_WORDS << max(tree.log_leaves + 1 - UNKEPT_LEVELS, 1)
        extending = max(_streaming(c.width, 1 << c.log_height, blowup, threads) for c in tree.classes)
        # The levels above the leaves pass through, two at a time; short classes' leaves come before them.
        streaming[tree.name] = max(extending, (DIGEST_WORDS * 3 << tree.log_leaves) // 4)
    fixed, main, interaction, quotient = (words[name] for name in TreeName)
    airs = list(zip(layout.system.airs, layout.log_heights, strict=True))
    per_row = [(2 * len(air_graph(air).groups) + 3, log) for air, log in airs]
    fractions = max(DEGREE * count << log for count, log in per_row)
    looked = sum(len(air_graph(air).looked()) << log for air, log in airs)
    tallest = 1 << layout.log_max_height
    steps: dict[str, int] = {}
    kept = fixed + leaves[TreeName.PREPROCESSED] + main + leaves[TreeName.MAIN]
    steps["main commitment"] = kept + looked + streaming[TreeName.MAIN]
    steps["interaction"] = kept + looked + interaction + fractions
    kept += interaction + leaves[TreeName.INTERACTION]
    steps["interaction"] = max(steps["interaction"], kept + streaming[TreeName.INTERACTION])
    # The tables move; parts of the composition (up to four a table), selectors, two compositions, the chunks.
    kept += fixed + (0 if consume else main) + quotient + leaves[TreeName.QUOTIENT]
    widest = max(sum(4 * DEGREE for log in layout.log_heights if log == h) << h for h in layout.distinct)
    work = widest + tallest * (3 * DEGREE + 4) + _transform(tallest, 1, threads)
    steps["quotient"] = kept + max(work, streaming[TreeName.QUOTIENT])
    steps["openings"] = kept + 2 * DEGREE * tallest
    points = tallest * blowup
    # The codeword, the folded ones and a joining one; scratch of its extension; leaves of the layers' trees.
    kept += 2 * DEGREE * points
    extending = DEGREE * tallest + _transform(tallest, blowup, threads)
    steps["FRI"] = kept + max(extending, DIGEST_WORDS * points // 2)
    steps["queries"] = kept + _transform(tallest, blowup, threads)
    peak = max(steps, key=lambda name: steps[name])
    cells = main + interaction
    return Prediction(cells, blowup * (cells + quotient), _WORD * steps[peak], peak)
