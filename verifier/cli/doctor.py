"""`pegproof doctor`: what runs here, and why."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import click

import native
from circuits.rollup.execute import execute_batch
from circuits.rollup.ledger import Ledger
from circuits.rollup.sample import build_sample
from circuits.statement import SHAPES, shape, system
from circuits.witness import witness
from prover.layout import Layout
from prover.memory import available_bytes
from prover.params import PRESETS
from prover.prove import prove
from verifier.cli.output import console, diagnostics, emit, json_option, reports_errors
from verifier.fast.verify import fast_verifier
from verifier.pipeline import DEFAULT_PRESET, megabytes, peak_bytes, proving_key

PACKAGES = ("pegproof", "numpy", "numba", "cffi", "blake3", "click", "rich")
FLAGS = ("avx2", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512ifma", "neon", "asimd")


@click.command(short_help="which kernels run here, and why")
@click.option("--warm", is_flag=True, help="Compile what is compiled on first use, and try everything once.")
@json_option
@reports_errors
def command(warm: bool, as_json: bool) -> None:
    """Say which kernels run here and why, and what else a proof depends on."""
    warmed = warm_up(as_json) if warm else None
    figures: dict[str, Any] = {
        "tier": native.tier(),
        "why": [{"check": check, "result": result} for check, result in native.why()],
        "processor_flags": processor_flags(),
        "processors": os.cpu_count(),
        "threads": native.threads(),
        "memory_available_bytes": available_bytes(),
        "memory_needed_bytes": {name: memory_needed(name) for name in SHAPES},
        "executor_cache": executor_cache(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "warm": warmed,
    }
    emit(figures, as_json, lambda: render(figures))


def render(figures: dict[str, Any]) -> None:
    """The findings for a person."""
    console.print(f"[bold]kernels: {figures['tier']}[/], {figures['threads']} threads, because")
    for line in figures["why"]:
        console.print(f"  {line['check']}: {line['result']}")
    console.print(f"processor flags: {', '.join(figures['processor_flags']) or 'unknown'}")
    free = figures["memory_available_bytes"]
    console.print(f"memory free: {megabytes(free) if free is not None else 'unknown'}")
    for name, needed in figures["memory_needed_bytes"].items():
        verdict = "unknown" if free is None else "fits" if needed < free else "does not fit"
        console.print(f"  shape {name} (preset {DEFAULT_PRESET}) needs {megabytes(needed)}: {verdict}")
    cache = figures["executor_cache"]
    console.print(f"compiled executor: {cache['state']} ({cache['directory']})")
    console.print(
        "versions: " + ", ".join(f"{name} {number}" for name, number in figures["versions"].items())
    )
    if figures["warm"]:
        console.print(
            "tried everything once: executed, proved and verified a small batch "
            f"({figures['warm']['seconds']:.1f} s)"
        )


def version(package: str) -> str:
    """An installed package's version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def processor_flags() -> list[str]:
    """The flags that matter to the kernels, where the system lists them."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    line = next((x for x in text.splitlines() if x.lower().startswith(("flags", "features"))), "")
    have = set(line.split(":")[-1].split())
    return [flag for flag in FLAGS if flag in have]


def memory_needed(shape_name: str) -> int:
    """Predicted peak of a proof with the default preset."""
    layout = Layout(system(), shape(shape_name), PRESETS[DEFAULT_PRESET])
    return peak_bytes(layout)


def executor_cache() -> dict[str, str]:
    """Whether the executor was compiled on this machine since its source last changed, if it has to be."""
    if native.tier() != "numba":
        return {"state": "not needed: it is in the C build", "directory": "native/_kernels"}
    from circuits.machine import executor_jit

    directory = executor_jit.execute.stats.cache_path  # type: ignore[attr-defined]
    source = Path(str(executor_jit.__file__))
    if not directory:
        return {"state": "cannot be kept: no writable cache directory", "directory": "none"}
    found = list(Path(directory).glob("executor_jit.execute-*.nbi"))
    fresh = any(index.stat().st_mtime >= source.stat().st_mtime for index in found)
    state = (
        "ready"
        if fresh
        else "not there: the first batch compiles it (5 to 10 s); `pegproof doctor --warm` does"
    )
    return {"state": state, "directory": str(directory)}


def warm_up(quiet: bool) -> dict[str, Any]:
    """Executes, proves and verifies a batch of one transfer in memory, which compiles all of the path."""

    def say(text: str) -> None:
        if not quiet and sys.stderr.isatty():
            diagnostics.print(text)

    start = time.perf_counter()
    say("executing a small batch")
    genesis, batch = build_sample(1, 0)
    ready = witness(execute_batch(Ledger.of_cells(genesis), batch).transition)
    compiled = time.perf_counter()
    say("proving and verifying a small batch")
    key = proving_key(DEFAULT_PRESET, SHAPES[0])
    proof = prove(key, ready.tables(SHAPES[0]), ready.public_values)
    fast_verifier(key.verifying_key).verify(proof.encode(), ready.public_values)
    done = time.perf_counter()
    return {"seconds": done - start, "executor_seconds": compiled - start, "proof_seconds": done - compiled}
