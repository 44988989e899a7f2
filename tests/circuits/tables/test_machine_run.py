"""The executor's runs of the kernel fill the machine's tables; the framework's checker agrees with ours."""

from __future__ import annotations

from functools import cache

import numpy as np

from circuits.machine.executor import MachineRun, run, tape_array
from circuits.machine.kernel import kernel
from circuits.relations import CELL_WORD, HASH, PUBLIC, SIG, TREE
from circuits.trace import machine
from prover.air.air import AirSystem, PublicTuple
from prover.air.check import check
from prover.field import P
from prover.poseidon2 import compress
from tests.circuits.machine.helpers import Batch, deposit, genesis, purse, transfer, withdraw
from tests.circuits.tables import programs

HEIGHTS = {
    "cpu": 1024, "rom": 1024, "code": 4, "memory": 4096, "cells": 64,
    "add": 512, "muldiv": 64, "word": 512, "range": 1 << 16,
}  # fmt: skip


def constants(relation, values, multiplicity) -> PublicTuple:
    return PublicTuple(relation, tuple(("constant", int(value) % P) for value in values), multiplicity)


def doubles(done: MachineRun, traces: machine.MachineTraces) -> list[PublicTuple]:
    """What p24, p16 and the verifier would add, from the executor's own lists; hashes are computed here."""
    tuples = []
    for index, before, after in zip(done.cell_indices, done.cells_before, done.cells_after, strict=True):
        tuples += [constants(CELL_WORD, (index, w, *before[w], *after[w]), 1) for w in range(5)]
    for column in traces.hashes.T.tolist():
        tuples.append(constants(HASH, (*column[:21], *compress(24, column, 8)), -1))
    for message, owner, leaf in zip(
        done.signature_messages, done.signature_owners, done.signature_leaves, strict=True
    ):
        tuples.append(constants(SIG, (*message, *owner, leaf), -1))
    for index, leaf in zip(done.exit_indices, done.exit_leaves, strict=True):
        tuples.append(constants(TREE, (74, index, *[0] * 8, *leaf), 1))
    tuples += [constants(PUBLIC, (k, *word), 1) for k, word in enumerate(done.public)]
    return tuples


@cache
def kernel_run() -> MachineRun:
    cells = genesis({20: purse(10**9), 21: purse(5 * 10**8)}, next_free=22)
    batch = Batch(
        events=[deposit(1000), deposit(5, cell=21), deposit(0), deposit(7, kind=4)],
        transactions=[
            transfer(20, 21, 1000),
            transfer(21, 21, 77, tip=3),
            transfer(21, 99, 5, leaf=9),
            withdraw(20, 12_000, leaf=1),
            withdraw(20, 12_001, leaf=2),
            transfer(20, 16, 2**64 - 1, leaf=3),
        ],
    )
    return run(kernel(), cells, tape_array(batch.tape))


def test_a_batch_run_by_the_kernel_is_accepted():
    done, rom = kernel_run(), kernel().rom_columns()
    needed = machine.rows_needed(done, rom)
    assert all(needed[name] <= HEIGHTS[name] for name in HEIGHTS), needed
    traces = machine.generate(done, rom, HEIGHTS)
    airs = tuple(programs.airs_of(rom).values())
    found = check(AirSystem(airs, 0, tuple(doubles(done, traces))), traces.tables)
    assert not found, str(found)


def test_the_framework_names_the_same_violations():
    def tamper(tables):
        tables["cpu"][1, 5] += 1

    done = programs.case(tamper=tamper)
    doubles = tuple(constants(relation, item, m) for relation, item, m in done.run.outside)
    found = check(AirSystem(tuple(done.airs.values()), 0, doubles), done.tables)
    assert {v.label for v in found.constraints} == set(done.violations())
    assert {v.relation for v in found.tuples} == {relation for relation, _ in done.unbalanced()}


def test_signature_requests_are_the_executors():
    done, rom = kernel_run(), kernel().rom_columns()
    traces = machine.generate(done, rom, HEIGHTS)
    assert np.array_equal(traces.signatures[:8].T, done.signature_messages)
    assert np.array_equal(traces.signatures[8:16].T, done.signature_owners)
    assert np.array_equal(traces.signatures[16], done.signature_leaves)
