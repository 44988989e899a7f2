"""From a batch directory to a proof file, and from there to a verdict: the commands without the printing."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import native
from circuits.rollup.batch import Batch
from circuits.rollup.codec import elements_bytes
from circuits.rollup.errors import RollupError, StoreError, StoreReason
from circuits.rollup.execute import Execution, execute_batch
from circuits.rollup.files import os_reason, read_file, write_atomic
from circuits.rollup.ledger import Ledger
from circuits.rollup.public_values import PublicValues
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.types import Transfer
from circuits.statement import SHAPES, heights, shape, system
from circuits.trace.capacity import CapacityError, check_capacity
from circuits.witness import Witness, witness
from prover.commit import ProvingKey, setup
from prover.field import DEGREE, P
from prover.hashing import to_words
from prover.key import VerifyingKey
from prover.layout import Layout, TreeName
from prover.memory import available_bytes
from prover.params import PRESETS, ProofParams
from prover.predict import predict
from prover.proof import MAGIC, VERSION, Proof
from prover.prove import prove
from prover.shape import groups
from prover.timing import Timings
from verifier.fast.verify import fast_verifier
from verifier.stark.reasons import RejectReason, VerificationError
from verifier.stark.verify import MIN_BITS
from verifier.stark.verify import verify as reference_verify

DEFAULT_PRESET = "standard"
MEMORY_MARGIN = 1.05
"""Free memory asked for, over what is predicted."""
BASE_BYTES = 165 << 20
"""Interpreter, libraries, compiled code and the ledger, measured."""
WITNESS_BYTES_PER_CELL = 1
"""Logs and claims from which the tables are filled, measured, per main cell."""
ELEMENTS_PER_SECOND = 100e6
"""Committed elements that a thread takes through all steps in a second; AVX-512, a new process, measured."""
START_SECONDS = 0.5
"""Loading compiled code and compiling constraints, measured."""
EXECUTION_SECONDS = 5e-4
"""A transaction's check, execution and rows, measured."""
MAX_PROOF_BYTES = 1 << 26
"""No proof of any preset and shape is longer; more is not read."""

Progress = Callable[[str, float], None]
"""Called with a step's name and the share of the work done before it."""


class PipelineError(ValueError):
    """Work was refused before it started; the message says what to do."""


@dataclass(frozen=True)
class BatchDirectory:
    """A batch and the ledger that it starts from.

    Attributes:
        path: the directory.
        batch_file: in it.
        ledger: before the batch.
        batch: as in the file.
        committed: whether the state store has the batch already.
        seconds: of loading.
    """

    path: Path
    batch_file: Path
    ledger: Ledger
    batch: Batch
    committed: bool
    seconds: float


def open_batch(path: Path) -> BatchDirectory:
    """Reads a batch directory, or one of the batch files in it.

    A batch that was committed is replayed from the ledger before it.

    Raises:
        StoreError: a file is missing, damaged, of another version or in use.
        CodecError: the batch file is not canonical.
    """
    start = time.perf_counter()
    file = path if path.is_file() else path / BATCH_FILE
    directory = file.parent
    if not directory.is_dir():
        raise StoreError(StoreReason.MISSING, f"batch directory {directory}")
    for needed in (file, directory / STATE_FILE):
        if not needed.is_file():
            raise StoreError(StoreReason.MISSING, f"{needed}", "a directory that `pegproof sample` made")
    batch = Batch.decode(read_file(file))
    with Store.open(directory / STATE_FILE) as store:
        before = _committed_from(store, batch)
        ledger = store.ledger(before)
    return BatchDirectory(directory, file, ledger, batch, before is not None, time.perf_counter() - start)


def _committed_from(store: Store, batch: Batch) -> int | None:
    """Number of the ledger that a committed batch started from; None if its slot is not in the store."""
    for number in range(store.batch_number(), 0, -1):
        slot = store.public_values(number).slot
        if slot <= batch.header.slot:
            return number - 1 if slot == batch.header.slot else None
    return None


@dataclass(frozen=True)
class Executed:
    """A batch, executed by the specification and by the kernel.

    Attributes:
        source: where it came from.
        execution: what it does.
        witness: ready to be laid out.
        seconds: by step.
    """

    source: BatchDirectory
    execution: Execution
    witness: Witness
    seconds: dict[str, float]

    @property
    def public_values(self) -> PublicValues:
        """What a proof will say."""
        return self.execution.transition.public_values

    @property
    def transactions(self) -> int:
        """Included transactions."""
        return len(self.execution.transition.receipts)

    @property
    def transfers(self) -> int:
        """Included transfers."""
        included = self.execution.transition.batch.transactions
        return sum(isinstance(signed.transaction, Transfer) for signed in included)

    def shape(self, wanted: str | None = None) -> str:
        """The wanted shape, or the smallest that holds the batch.

        Raises:
            PipelineError: it does not fit; says which table is full and where to split.
        """
        try:
            if wanted is None:
                return self.witness.smallest_shape()
            for table, rows in self.witness.rows.items():
                check_capacity(table, rows, heights(wanted)[table])
            return wanted
        except CapacityError as error:
            raise PipelineError(self._too_large(error, wanted)) from error

    def _too_large(self, error: CapacityError, wanted: str | None) -> str:
        name = wanted or SHAPES[-1]
        full = {t: rows / heights(name)[t] for t, rows in self.witness.rows.items()}
        worst = max(full, key=lambda table: full[table])
        rows, capacity = self.witness.rows[worst], heights(name)[worst]
        fit = int(self.transactions / full[worst] * 0.99)
        text = (
            f"the batch is too large for shape {name}: table {worst} needs {rows:,} rows and has "
            f"{capacity:,}; split the batch: about the first {fit:,} of its {self.transactions:,} "
            "transactions fit"
        )
        return text + (", or take a larger shape" if name != SHAPES[-1] else "")

    def tables(self, shape_name: str) -> list[dict[str, object]]:
        """How full each table is; columns are main and interaction ones, cells = rows x columns."""
        columns, capacity = table_columns(), heights(shape_name)
        return [
            {
                "name": name,
                "rows": rows,
                "capacity": capacity[name],
                "columns": columns[name],
                "cells": rows * columns[name],
            }
            for name in columns
            for rows in (self.witness.rows[name],)
        ]

    def commit(self) -> int:
        """Writes the batch to the state store, whole or not at all; returns its number.

        A second time is a no-op.

        Raises:
            StoreError: STALE, LOCKED, DISK_FULL, CORRUPT or IO; nothing was written.
        """
        number = self.public_values.batch_number + 1
        with Store.open(self.source.path / STATE_FILE) as store:
            if not self.source.committed:
                return store.commit(self.execution.transition)
            if store.public_values(number) != self.public_values:
                raise StoreError(StoreReason.STALE, str(store.path), "this batch's public values")
        return number


@cache
def table_columns() -> dict[str, int]:
    """Base columns of each table: main, and six for each interaction column."""
    statement = system()
    return {a.name: a.Main.width + DEGREE * groups(i, statement) for i, a in enumerate(statement.airs)}


def opened_columns(preset: str, shape_name: str) -> int:
    """Opened base columns in all: main, interaction, quotient; the verifier knows the preprocessed ones."""
    layout = Layout(system(), shape(shape_name), PRESETS[preset])
    return layout.num_columns - sum(air.Fixed.width for air in system().airs)


def run_batch(path: Path, progress: Progress | None = None) -> Executed:
    """Opens and executes a batch directory; writes nothing.

    Raises:
        StoreError, CodecError: see `open_batch`.
        BatchRefused: the batch breaks a rule.
        WitnessError, MachineError: kernel and specification disagree (a defect).
    """
    tell = progress or _silent
    tell("load", 0.0)
    source = open_batch(path)
    tell("execute", 0.02)
    execution = execute_batch(source.ledger, source.batch)
    tell("witness", 0.15)
    ready = witness(execution.transition)
    seconds = {"load": source.seconds, **execution.seconds, **ready.seconds}
    return Executed(source, execution, ready, seconds)


def _silent(step: str, share: float) -> None:
    """Tells nobody."""


@cache
def proving_key(preset: str, shape_name: str) -> ProvingKey:
    """The key of a preset and a shape, computed once a process.

    Raises:
        KeyError: no such preset or shape.
    """
    return setup(system(), shape(shape_name), PRESETS[preset])


def verifying_key(preset: str, shape_name: str) -> VerifyingKey:
    """The verifying key of a preset and a shape, rebuilt from the code alone."""
    return proving_key(preset, shape_name).verifying_key


@dataclass(frozen=True)
class Plan:
    """What will be proven, and at what price.

    Attributes:
        executed: the batch.
        preset, shape: of the proof.
        threads: that will work.
        cells: main and interaction cells to prove.
        peak_bytes: predicted peak memory of the process.
        seconds: predicted, from the execution to the file; processors differ by a factor of two or three.
        available_bytes: free memory, if the system says.
    """

    executed: Executed
    preset: str
    shape: str
    threads: int
    cells: int
    peak_bytes: int
    seconds: float
    available_bytes: int | None


def peak_bytes(layout: Layout, threads: int | None = None) -> int:
    """Predicted peak memory of a process that proves: interpreter, witness and the prover's own."""
    tree = layout.tree(TreeName.MAIN)
    main = sum(c.width << c.log_height for c in tree.classes) if tree else 0
    return (
        BASE_BYTES + WITNESS_BYTES_PER_CELL * main + predict(layout, consume=True, workers=threads).peak_bytes
    )


def plan(executed: Executed, preset: str, shape_name: str | None, threads: int | None) -> Plan:
    """Chooses the shape and predicts time and memory.

    Raises:
        PipelineError: the batch does not fit the shape, or the proof the memory.
    """
    name = executed.shape(shape_name)
    count = threads or native.threads()
    layout = Layout(system(), shape(name), PRESETS[preset])
    prediction = predict(layout)
    peak = peak_bytes(layout, count)
    proving = prediction.committed_elements / (ELEMENTS_PER_SECOND * count)
    seconds = START_SECONDS + EXECUTION_SECONDS * executed.transactions + proving
    free = available_bytes()
    needed = MEMORY_MARGIN * peak - resident_bytes()
    if free is not None and needed > free:
        raise PipelineError(
            f"not enough memory: shape {name} with preset {preset} peaks at about {megabytes(peak)} and "
            f"{megabytes(free)} are free; close something, split the batch, or take preset fast"
        )
    return Plan(executed, preset, name, count, prediction.cells, peak, seconds, free)


@dataclass
class Proven:
    """A proof that was written.

    Attributes:
        proof_bytes: its length.
        proven_bits: of its parameters and shape.
        steps: seconds by name.
        outside_kernels_share: of the prover's CPU time (`Timings`).
    """

    proof_bytes: int
    proven_bits: float
    steps: dict[str, float] = field(default_factory=dict)
    outside_kernels_share: float = 0.0


def check_output(path: Path) -> None:
    """Refuses an output path that cannot be written, before the work rather than after it.

    Raises:
        StoreError: no such directory, or not writable.
    """
    if path.is_dir():
        raise StoreError(StoreReason.IO, str(path), "a file name", "a directory")
    probe = path.with_name(f".{path.name}.probe.tmp")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(os_reason(error), str(path), got=error) from error


def prove_batch(work: Plan, output: Path, progress: Progress | None = None) -> Proven:
    """Proves a planned batch and writes the proof file: whole, or not at all.

    Raises:
        ProvingError: the tables break the statement (a defect, never the batch's fault).
        StoreError: the file cannot be written.
    """
    tell = progress or _silent
    executed, steps = work.executed, dict(work.executed.seconds)

    def timed(name: str, start: float) -> None:
        steps[name] = time.perf_counter() - start

    start = time.perf_counter()
    tell("tables", 0.0)
    tables = executed.witness.tables(work.shape)
    timed("tables", start)
    start = time.perf_counter()
    key = proving_key(work.preset, work.shape)
    timed("key", start)
    timings = Timings()
    public = executed.public_values.elements()
    gc.freeze()  # the batch's objects live on: each search for garbage among them takes 40 ms
    try:
        proof = prove(
            key, tables, public, progress=progress, timings=timings, threads=work.threads, consume=True
        )
    finally:
        gc.unfreeze()
    steps.update(timings.seconds)
    start = time.perf_counter()
    tell("write", 0.99)
    data = proof.encode()
    write_atomic(output, data)
    timed("write", start)
    return Proven(len(data), key.verifying_key.security().proven_bits, steps, timings.outside_kernels_share)


@dataclass(frozen=True)
class ProofFile:
    """A file whose header names a preset and a shape that this version knows.

    Attributes:
        data: all bytes.
        preset, shape: which key it asks for.
    """

    data: bytes
    preset: str
    shape: str

    @property
    def key(self) -> VerifyingKey:
        """The key that it must be checked against."""
        return verifying_key(self.preset, self.shape)

    @property
    def public_elements(self) -> tuple[int, ...]:
        """The public values that it carries, not yet checked.

        Raises:
            VerificationError: LENGTH or NON_CANONICAL.
        """
        start = _HEADER_BYTES + 4
        count = system().num_public_values
        words = to_words(self.data[start : start + 4 * count])
        if len(words) != count:
            raise VerificationError(RejectReason.LENGTH, "public values", count, len(words))
        for i, word in enumerate(words):
            if word >= P:
                raise VerificationError(RejectReason.NON_CANONICAL, f"public value {i}", f"below {P}", word)
        return tuple(words)

    @property
    def public_values(self) -> PublicValues | None:
        """The public values by name; None where they are not those of any batch."""
        try:
            return PublicValues.from_elements(self.public_elements)
        except RollupError:
            return None


_HEADER_BYTES = 8 + ProofParams.encoded_length() + 32


def read_proof(path: Path) -> bytes:
    """A proof file's bytes, never more than a proof can have by more than one.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_PROOF_BYTES + 1)
    except OSError as error:
        raise StoreError(os_reason(error), str(path), got=error) from error


def identify(data: bytes) -> ProofFile:
    """Finds preset and shape from the header.

    Raises:
        VerificationError: MAGIC, VERSION, LENGTH, PARAMETERS or SHAPE.
    """
    if data[:4] != MAGIC:
        raise VerificationError(RejectReason.MAGIC, "header", MAGIC.hex(), data[:4].hex())
    if data[4:8] != VERSION.to_bytes(4, "little"):
        raise VerificationError(RejectReason.VERSION, "header", VERSION, data[4:8].hex())
    if len(data) < _HEADER_BYTES + 4:
        raise VerificationError(RejectReason.LENGTH, "header", _HEADER_BYTES + 4, len(data))
    params, shape_id = data[8 : _HEADER_BYTES - 32], data[_HEADER_BYTES - 32 : _HEADER_BYTES]
    preset = next((name for name, known in PRESETS.items() if known.encode() == params), None)
    if preset is None:
        raise VerificationError(
            RejectReason.PARAMETERS, "header", f"a preset of {', '.join(PRESETS)}", params.hex()
        )
    shape_name = next((name for name in SHAPES if shape(name).id == shape_id), None)
    if shape_name is None:
        raise VerificationError(
            RejectReason.SHAPE, "header", f"a shape of {', '.join(SHAPES)}", shape_id.hex()
        )
    return ProofFile(data, preset, shape_name)


def check_roots(proof: ProofFile, expected: Mapping[str, str | None]) -> None:
    """Compares state roots in a proof with those that the caller holds.

    Args:
        proof: any.
        expected: `state_root_before`, `state_root_after` in hexadecimal; None is not compared.

    Raises:
        VerificationError: PUBLIC_VALUES.
    """
    for name, start in (("state_root_before", 0), ("state_root_after", 8)):
        wanted = expected.get(name)
        if wanted is not None:
            got = elements_bytes(proof.public_elements[start : start + 8]).hex()
            if got != wanted.lower():
                raise VerificationError(RejectReason.PUBLIC_VALUES, name, wanted, got)


def prepare(proof: ProofFile, reference: bool = False) -> None:
    """Builds the key (and records the native verifier's program), so that `verify_proof` only verifies."""
    if not reference:
        fast_verifier(proof.key)


def verify_proof(proof: ProofFile, min_bits: float = MIN_BITS, reference: bool = False) -> None:
    """Checks a proof of the statement that it carries.

    Args:
        proof: from `identify`.
        min_bits: parameters that prove less are refused.
        reference: with the plain-integer verifier instead of the native one.

    Raises:
        VerificationError: it is rejected.
    """
    key = proof.key
    if reference:
        reference_verify(key, proof.data, proof.public_elements, min_bits=min_bits)
    else:
        fast_verifier(key).verify(proof.data, proof.public_elements, min_bits=min_bits)


def proof_of(proof: ProofFile) -> Proof:
    """The proof in memory, form checked, mathematics not.

    Raises:
        ProofFormatError: malformed.
    """
    return Proof.decode(proof.data, proof.key.layout)


def resident_bytes() -> int:
    """What this process holds now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def megabytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
