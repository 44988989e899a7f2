"""A proof of independent Poseidon2 permutations: the work that other provers publish figures of."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

import native
from circuits.tables.poseidon2 import FULL_ROUNDS_HALF, PARTIAL_ROUNDS, constrain_permutation
from prover.air.air import Air, AirBuilder, AirSystem
from prover.air.columns import Columns, columns
from prover.commit import setup
from prover.params import PRESETS
from prover.predict import predict
from prover.prove import check_memory, prove
from prover.shape import Shape
from prover.timing import Timings
from verifier.fast.verify import FastVerifier
from verifier.measure.clock import peak_rss_bytes
from verifier.measure.floor import floor_seconds, proof_products
from verifier.measure.kernels import poseidon2_products

WIDTH = 16


class PermutationColumns(Columns):
    """164 columns: those of p16 without flags, and all sixteen outputs."""

    inputs = columns(WIDTH)
    """Any field elements."""
    initial = columns(FULL_ROUNDS_HALF * WIDTH)
    """State after initial full rounds 0..3."""
    partial = columns(PARTIAL_ROUNDS[WIDTH])
    """S-box outputs of the partial rounds."""
    final = columns((FULL_ROUNDS_HALF - 1) * WIDTH)
    """State after full rounds 4..6."""
    outputs = columns(WIDTH)
    """The permutation of the inputs."""


class Permutations(Air):
    """One permutation a row, degree 3, no lookups."""

    name = "permutations"
    Main = PermutationColumns

    def eval(self, builder: AirBuilder, local: PermutationColumns, following: PermutationColumns) -> None:
        """Every row's outputs are the permutation of its inputs."""
        constrain_permutation(builder, local.inputs, local.initial, local.partial, local.final, local.outputs)


SYSTEM = AirSystem((Permutations(),))


@dataclass(frozen=True)
class AirFigures:
    """What `bench air` prints.

    Attributes:
        log_permutations, threads, preset: what ran.
        seconds: median of all runs, trace generation included.
        runs: seconds of each; the first touches its memory for the first time.
        steps: seconds by step, of the median run.
        peak_rss_bytes: of the process.
        predicted_peak_bytes: the prover's own, before it starts.
        proof_bytes: of a proof, which was verified.
        floor_seconds: its field products, and its trace's, at the machine's ceiling.
    """

    log_permutations: int
    threads: int
    preset: str
    seconds: float
    runs: list[float]
    steps: dict[str, float]
    peak_rss_bytes: int
    predicted_peak_bytes: int
    proof_bytes: int
    floor_seconds: float

    @property
    def permutations(self) -> int:
        """Proven at once."""
        return 1 << self.log_permutations

    def json(self) -> dict[str, object]:
        """As printed by `bench air --json`."""
        return {
            "permutations": self.permutations,
            "seconds": self.seconds,
            "permutations_per_second": self.permutations / self.seconds,
            "threads": self.threads,
            "preset": self.preset,
            "peak_rss_bytes": self.peak_rss_bytes,
            "steps": self.steps,
            "runs": self.runs,
            "predicted_peak_bytes": self.predicted_peak_bytes,
            "proof_bytes": self.proof_bytes,
            "floor_seconds": self.floor_seconds,
        }


def run(log_permutations: int, preset: str, threads: int, repeats: int) -> AirFigures:
    """Proves `repeats` times, and verifies the last proof.

    Raises:
        ProvingError: more memory is needed than there is.
    """
    shape = Shape.of(SYSTEM, {Permutations.name: log_permutations})
    key = setup(SYSTEM, shape, PRESETS[preset])
    check_memory(key, {}, consume=True, threads=threads)
    rng = np.random.default_rng(1)
    runs: list[tuple[float, dict[str, float]]] = []
    with native.using_threads(threads):
        for _ in range(repeats):
            table = native.empty(PermutationColumns.width, 1 << log_permutations)
            for i in range(WIDTH):
                table[i] = rng.integers(0, native.P, table.shape[1], dtype=np.uint32)
            timings, start = Timings(), time.perf_counter()
            native.poseidon2_trace(table[:WIDTH], out=table)
            traced = time.perf_counter() - start
            proof = prove(key, {Permutations.name: table}, timings=timings, consume=True)
            runs.append((time.perf_counter() - start, {"trace": traced, **timings.seconds}))
            del table
        peak = peak_rss_bytes()
    data = proof.encode()
    FastVerifier(key.verifying_key).verify(data, (), min_bits=0)
    layout = key.verifying_key.layout
    products = proof_products(layout) + (poseidon2_products(WIDTH) << log_permutations)
    spent = [seconds for seconds, _ in runs]
    middle = statistics.median_low(spent)
    return AirFigures(
        log_permutations,
        threads,
        preset,
        middle,
        spent,
        runs[spent.index(middle)][1],
        peak,
        predict(layout, consume=True, workers=threads).peak_bytes,
        len(data),
        floor_seconds(products, threads),
    )
