"""Peers from PyPI beside ours, on one machine in one run: `python -m bench.compare [--json]`.

Install them with `pip install -e .[bench]`; those that are missing are skipped and named. Ours and the peer take
turns, so that whatever else the machine does hits both; the figure is the ratio of medians, ours first where more is
faster. All cases but the last run on one processor.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import native
from prover import poseidon2_constants as constants
from prover.hashing import Context
from verifier.measure.batch import sampled
from verifier.pipeline import plan, prove_batch, run_batch

SEED = 1


@dataclass(frozen=True)
class Case:
    """The same work done twice.

    Attributes:
        name, peer, unit: what, by whom, what is counted.
        ours, theirs: the work and the units of one call.
        processors: that both may use; 0 for all.
    """

    name: str
    peer: str
    unit: str
    ours: tuple[Callable[[], object], float]
    theirs: tuple[Callable[[], object], float]
    processors: int = 1


@dataclass(frozen=True)
class Result:
    """Units a second, and their ratio."""

    name: str
    peer: str
    unit: str
    ours: float
    theirs: float
    ratio: float


def _random(*shape: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.random.default_rng(SEED).integers(0, native.P, shape, dtype=np.uint32)


def poseidon2() -> Case:
    """hash-frx: the permutation of many independent states, KoalaBear, width 16."""
    import frx
    import frx.numpy as fnp
    import zk_dtypes
    from hash_frx.poseidon2.params import Poseidon2Params
    from hash_frx.poseidon2.poseidon2 import Poseidon2

    dtype = zk_dtypes.koalabear_mont

    def array(values: Any) -> Any:
        return fnp.array(values, dtype=dtype)

    permutation = Poseidon2(
        Poseidon2Params(
            width=16,
            dtype=dtype,
            alpha=3,
            external_rounds=4,
            internal_rounds=len(constants.INTERNAL_16),
            external_constants_initial=array([list(r) for r in constants.EXTERNAL_INITIAL_16]),
            external_constants_terminal=array([list(r) for r in constants.EXTERNAL_FINAL_16]),
            internal_constants=array([[c] + [0] * 15 for c in constants.INTERNAL_16]),
            internal_diag=array(list(constants.DIAGONAL_16)),
        )
    )
    count = 1 << 18
    states = _random(16, count)
    permute = frx.jit(frx.vmap(permutation.permute))
    theirs = array(np.ascontiguousarray(states.T))
    first = np.array([int(x) for x in np.asarray(permute(theirs[:1]))[0]])
    if (first != native.poseidon2_permute(states[:, :1].copy())[:, 0]).any():
        raise SystemExit("hash-frx and pegproof disagree on Poseidon2")
    out = np.empty_like(states)
    return Case(
        "Poseidon2 w16",
        "hash-frx",
        "permutations",
        (lambda: native.poseidon2_permute(states, out=out), count),
        (lambda: permute(theirs).block_until_ready(), count),
    )


def rows_blake3() -> Case:
    """blake3: hashes of rows of 64 elements; one call a row, its only interface to many short messages."""
    import blake3

    matrix = _random(64, 1 << 14)
    rows = [matrix[:, i].tobytes() for i in range(matrix.shape[1])]
    context = Context.LEAF.value

    def theirs() -> None:
        for row in rows:
            blake3.blake3(row, derive_key_context=context).digest()

    work = (lambda: native.hash_rows(matrix, context), float(len(rows)))
    return Case("BLAKE3 of rows", "blake3", "rows", work, (theirs, float(len(rows))))


def bulk_blake3() -> Case:
    """blake3: bytes hashed a second at its best, one long message, against ours in rows."""
    import blake3

    matrix = _random(64, 1 << 16)
    data, context = matrix.tobytes(), Context.LEAF.value
    return Case(
        "BLAKE3 in bulk",
        "blake3",
        "bytes",
        (lambda: native.hash_rows(matrix, context), float(matrix.nbytes)),
        (lambda: blake3.blake3(data, derive_key_context=context).digest(), float(matrix.nbytes)),
    )


def ntt_galois() -> Case:
    """galois: one number-theoretic transform of 2^16."""
    import galois

    size = 1 << 16
    column = _random(1, size)
    values = column[0].tolist()
    return Case(
        "NTT 2^16",
        "galois",
        "elements",
        (lambda: native.ntt(column), float(size)),
        (lambda: galois.ntt(values, modulus=native.P), float(size)),
    )


def signatures(batch: Path, count: int) -> Case:
    """py-lean-multisig: signatures aggregated a second, against those inside a proven batch of transfers."""
    import py_lean_multisig as peer

    keys = [peer.keygen(bytes([i]) * 32, 0, 7) for i in range(count)]
    message = bytes(32)
    signed = [peer.sign(secret, message, 0) for secret, _ in keys]
    prover, publics = peer.Prover(), [public for _, public in keys]
    output = batch.parent / "batch.proof"
    proven = len(run_batch(batch).witness.transition.signatures)

    def ours() -> None:
        prove_batch(plan(run_batch(batch), "standard", None, None), output)

    return Case(
        "XMSS signatures",
        "py-lean-multisig",
        "signatures",
        (ours, float(proven)),
        (lambda: prover.aggregate(publics, signed, message, 0), float(count)),
        processors=0,
    )


@contextmanager
def _pinned(processors: int) -> Iterator[None]:
    """Every thread on the first so many processors, 0 for all: a peer's own threads may have begun before."""
    before = {int(thread): os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")}
    chosen = sorted(os.sched_getaffinity(0))[: processors or None]
    try:
        for thread in before if processors else ():
            os.sched_setaffinity(thread, chosen)
        yield
    finally:
        for thread, allowed in before.items():
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(thread, allowed)


def measure(case: Case, rounds: int) -> Result:
    """Takes turns; the first round is not counted."""
    taken: tuple[list[float], list[float]] = ([], [])
    with _pinned(case.processors), native.using_threads(case.processors or None):
        for turn in range(rounds + 1):
            for side, (work, _) in zip(taken, (case.ours, case.theirs), strict=True):
                start = time.perf_counter()
                work()
                if turn:
                    side.append(time.perf_counter() - start)
    ours, theirs = (
        units / statistics.median(side)
        for side, (_, units) in zip(taken, (case.ours, case.theirs), strict=True)
    )
    return Result(case.name, case.peer, case.unit, ours, theirs, ours / theirs)


def _skip(module: str) -> None:
    print(f"skipped: {module} is not installed (pip install -e .[bench])", file=sys.stderr)


def results(rounds: int, transfers: int, multisigned: int) -> Iterator[Result]:
    """Every case whose peer is installed."""
    for module, make in (
        ("hash_frx", poseidon2),
        ("blake3", rows_blake3),
        ("blake3", bulk_blake3),
        ("galois", ntt_galois),
    ):
        if importlib.util.find_spec(module):
            yield measure(make(), rounds)
        else:
            _skip(module)
    if transfers and not importlib.util.find_spec("py_lean_multisig"):
        _skip("py_lean_multisig")
    elif transfers:
        with tempfile.TemporaryDirectory() as scratch:
            yield measure(signatures(sampled(transfers, Path(scratch)), multisigned), rounds)


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description="pegproof beside its peers from PyPI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--transfers", type=int, default=1000, help="0: leave the signatures out")
    parser.add_argument("--signatures", type=int, default=32, help="that the peer aggregates")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    for result in results(arguments.rounds, arguments.transfers, arguments.signatures):
        found.append(result)
        if not arguments.json:
            print(
                f"{result.name:16} {result.ours:14,.0f} {result.unit}/s, "
                f"{result.peer}: {result.theirs:14,.0f}, ratio {result.ratio:.2f}",
                flush=True,
            )
    if arguments.json:
        print(json.dumps([asdict(result) for result in found]))


if __name__ == "__main__":
    main()
