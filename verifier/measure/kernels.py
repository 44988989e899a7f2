"""Rates of single kernels at the sizes of the anchors, with the floor that the machine sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

import native
from prover.hashing import Context
from prover.memory import available_bytes
from prover.merkle import MerkleTree, leaf_digests
from verifier.measure import anchors
from verifier.measure.clock import median
from verifier.measure.machine import Ceilings, ceilings

U32 = NDArray[np.uint32]

_TRANSFORMED = 64
"""Columns of a transform; its extension to twice the size stands beside them."""
_OTHERS_BYTES = 1 << 28
"""What the other kernels need, at sizes that are fixed."""


@dataclass(frozen=True)
class Rate:
    """A kernel's speed.

    Attributes:
        name, size, threads: what ran.
        seconds: median.
        rate: units a second.
        unit: what is counted.
        tier: instruction set.
        anchor: the peer's rate, where there is one.
        floor_seconds: what the multiplications, or the bytes, take at the machine's ceiling.
    """

    name: str
    size: str
    threads: int
    seconds: float
    rate: float
    unit: str
    tier: str
    anchor: float | None
    floor_seconds: float

    def json(self) -> dict[str, object]:
        """As printed by `bench kernels --json`."""
        return asdict(self)


def poseidon2_products(width: int) -> int:
    """Field products of a permutation: two a cube, and one a scaling by a power of two in the diagonal."""
    partial = native.trace_columns(width) - 9 * width
    return 2 * (8 * width + partial) + partial * (8 if width == 16 else 16)


def _random(rows: int, columns: int, seed: int = 1) -> U32:
    return np.random.default_rng(seed).integers(0, native.P, (columns, rows), dtype=np.uint32)


@dataclass(frozen=True)
class _Case:
    name: str
    size: str
    units: int
    unit: str
    anchor: dict[int, float] | None
    products: float
    moved_bytes: float
    work: Callable[[], object]


def _cases(log_rows: int) -> Iterator[_Case]:
    """Each built when it is its turn, so that one case's arrays are in memory at a time."""
    for width in (16, 24):
        states = _random(1 << 18, width)
        out = np.empty_like(states)
        yield _Case(
            f"poseidon2_w{width}",
            f"2^18 states of {width}",
            1 << 18,
            "permutations",
            anchors.POSEIDON2_W16 if width == 16 else None,
            float(poseidon2_products(width) << 18),
            2.0 * states.nbytes,
            lambda states=states, out=out: native.poseidon2_permute(states, out=out),  # type: ignore[misc]
        )
    matrix, n = _random(1 << 18, 64), 1 << 18
    compressions = n * 4 + n - 1
    yield _Case(
        "merkle_blake3",
        "2^18 rows of 64",
        compressions,
        "compressions",
        {threads: compressions / s for threads, s in anchors.MERKLE_SECONDS.items()},
        0.0,
        float(matrix.nbytes + 3 * 32 * n),
        lambda: MerkleTree({18: leaf_digests([matrix])}),
    )
    yield _Case(
        "hash_rows",
        "2^18 rows of 64",
        matrix.size,
        "elements",
        None,
        0.0,
        float(matrix.nbytes + 32 * n),
        lambda: native.hash_rows(matrix, Context.LEAF.value),
    )
    del matrix
    n, count = 1 << log_rows, _TRANSFORMED
    matrix = _random(n, count)
    size = f"2^{log_rows} x {count}"
    yield _Case(
        "ntt",
        size,
        matrix.size,
        "elements",
        anchors.NTT if log_rows == 20 else None,
        matrix.size * log_rows / 2,
        2.0 * matrix.nbytes,
        lambda: native.ntt(matrix, out=matrix),
    )
    extended = np.empty((count, 2 * n), np.uint32)
    yield _Case(
        "lde_2x",
        size,
        matrix.size,
        "input elements",
        anchors.LDE_2X if log_rows == 20 else None,
        matrix.size * (log_rows / 2 * 3 + 2),
        3.0 * matrix.nbytes,
        lambda: native.coset_lde(matrix, 1, 3, out=extended),
    )


def run(threads: tuple[int, ...], log_rows: int = 20, repeats: int = 5) -> tuple[list[Rate], list[Ceilings]]:
    """Every kernel on every number of threads.

    Raises:
        KernelError: more memory is needed than there is.
    """
    needed, free = max(12 * _TRANSFORMED << log_rows, _OTHERS_BYTES), available_bytes()
    if free is not None and needed > free:
        raise native.KernelError("bench kernels", f"{needed >> 20} MiB of memory", f"{free >> 20} MiB")
    rates = []
    limits = {count: ceilings(count) for count in threads}
    for case in _cases(log_rows):
        for count in threads:
            with native.using_threads(count):
                spent = median(case.work, repeats)
            limit = limits[count]
            floor = max(case.products / limit.multiplications, case.moved_bytes / limit.copied_bytes)
            rates.append(
                Rate(
                    case.name,
                    case.size,
                    count,
                    spent,
                    case.units / spent,
                    case.unit,
                    native.tier(),
                    (case.anchor or {}).get(count),
                    floor,
                )
            )
    return rates, list(limits.values())
