"""Proofs and verifications of sampled batches, through the same pipeline as `pegproof prove`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import native
from verifier.measure.clock import median, peak_rss_bytes, seconds
from verifier.measure.floor import floor_seconds, proof_products
from verifier.pipeline import (
    PipelineError,
    identify,
    plan,
    prepare,
    prove_batch,
    read_proof,
    run_batch,
    verify_proof,
)


@dataclass(frozen=True)
class BatchFigures:
    """What `bench batch` prints.

    Attributes:
        transfers: sampled.
        signatures: verified by the proof.
        seconds: median from the signed batch file to the proof file.
        runs: seconds of each; the first loads compiled code and touches its memory for the first time.
        proven_bits, proof_bytes: of the proof.
        peak_rss_bytes: of the process.
        steps: seconds by step, of the median run.
        outside_kernels_share: by run, what `prove` (steps bind to queries) spends outside kernels, of its CPU time.
        floor_seconds: the proof's field products at the machine's ceiling.
    """

    transfers: int
    signatures: int
    seconds: float
    runs: list[float]
    proven_bits: float
    proof_bytes: int
    peak_rss_bytes: int
    steps: dict[str, float]
    outside_kernels_share: list[float]
    floor_seconds: float

    def json(self) -> dict[str, object]:
        """As printed by `bench batch --json`."""
        return {
            "transfers": self.transfers,
            "signatures": self.signatures,
            "seconds": self.seconds,
            "transfers_per_second": self.transfers / self.seconds,
            "signatures_per_second": self.signatures / self.seconds,
            "proven_bits": self.proven_bits,
            "proof_bytes": self.proof_bytes,
            "peak_rss_bytes": self.peak_rss_bytes,
            "runs": self.runs,
            "steps": self.steps,
            "outside_kernels_share": self.outside_kernels_share,
            "floor_seconds": self.floor_seconds,
        }


def sampled(transfers: int, directory: Path) -> Path:
    """A signed batch, made by a process of its own so that its memory is not counted.

    Raises:
        PipelineError: it could not be made.
    """
    batch = directory / "batch"
    command = [sys.executable, "-m", "verifier.cli.main", "sample"]
    command += ["--transfers", str(transfers), "--seed", "1", "--out", str(batch)]
    made = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        raise PipelineError(
            f"no sample of {transfers:,} transfers: {made.stderr.strip().removeprefix('Error: ')}"
        )
    return batch


def run(transfers: int, preset: str, threads: int, repeats: int, batch: Path | None = None) -> BatchFigures:
    """Proves a batch `repeats` times, and verifies the last proof."""
    with tempfile.TemporaryDirectory(prefix="pegproof-bench-") as scratch:
        source = batch or sampled(transfers, Path(scratch))
        output = Path(scratch) / "batch.proof"
        runs: list[tuple[float, dict[str, float]]] = []
        outside: list[float] = []
        for _ in range(repeats):
            start = time.perf_counter()
            with native.using_threads(threads):
                executed = run_batch(source)
                done = prove_batch(plan(executed, preset, None, threads), output)
            runs.append((time.perf_counter() - start, done.steps))
            outside.append(done.outside_kernels_share)
            signatures, count = len(executed.witness.transition.signatures), executed.transfers
            del executed
        peak = peak_rss_bytes()
        proof = identify(read_proof(output))
        verify_proof(proof, 0)
    spent = [taken for taken, _ in runs]
    middle = statistics.median_low(spent)
    floor = floor_seconds(proof_products(proof.key.layout), threads)
    steps = runs[spent.index(middle)][1]
    return BatchFigures(
        count, signatures, middle, spent, done.proven_bits, done.proof_bytes, peak, steps, outside, floor
    )


@dataclass(frozen=True)
class VerifyFigures:
    """What `bench verify` prints.

    Attributes:
        native_seconds: median of the fast verifier.
        prepare_seconds: of recording the verifier's Program, once a key.
        reference_seconds: of the plain-integer verifier.
        proof_bytes, preset, transfers: what was verified.
    """

    native_seconds: float
    prepare_seconds: float
    reference_seconds: float
    proof_bytes: int
    preset: str
    transfers: int

    def json(self) -> dict[str, object]:
        """As printed by `bench verify --json`."""
        return dict(vars(self))


def verify(transfers: int, preset: str, repeats: int, batch: Path | None = None) -> VerifyFigures:
    """Proves a batch once and verifies it with both verifiers."""
    with tempfile.TemporaryDirectory(prefix="pegproof-bench-") as scratch:
        output = Path(scratch) / "batch.proof"
        executed = run_batch(batch or sampled(transfers, Path(scratch)))
        prove_batch(plan(executed, preset, None, None), output)
        proof = identify(read_proof(output))
    preparing = seconds(lambda: prepare(proof), 1)[0]
    fast = median(lambda: verify_proof(proof, 0), repeats)
    reference = seconds(lambda: verify_proof(proof, 0, reference=True), 1)[0]
    return VerifyFigures(fast, preparing, reference, len(proof.data), preset, executed.transfers)
