"""A tiny tape builder that follows docs/machine.md; the real one is circuits/rollup's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

import native
from circuits.machine.errors import MachineError
from circuits.machine.executor import MachineRun, run, tape_array
from circuits.machine.interpreter import CheckSignature, Execution, interpret
from circuits.machine.kernel import kernel
from circuits.machine.program import Program
from circuits.machine.words import EMPTY_CELL, ZERO, Cell, Word, int_from_word, pack, word_from_int

CHAIN_ID, BATCH_NUMBER, SLOT, HEIGHT, COUNT = 7, 41, 100, 800_000, 5
HEADER_PURSE = word_from_int(1)
OWNER_LO, OWNER_HI = (2_000_000_000, 2, 3, 4), (5, 6, 7, 2_130_706_432)
ACCUMULATOR = ((11, 12, 13, 14), (15, 16, 17, 18))


def purse(balance: int, nonce: int = 0, next_leaf: int = 0) -> Cell:
    return HEADER_PURSE, OWNER_LO, OWNER_HI, word_from_int(balance), pack(nonce, next_leaf)


def genesis(
    purses: Mapping[int, Cell], base_fee: int = 10, next_free: int = 20, exit_counter: int = 3
) -> dict[int, Cell]:
    """System cells, fee purses, and the given ones; the producer of `Batch` is purse 16."""
    cells = {2: purse(0), 3: purse(0), 16: purse(1_000_000), **purses}
    supply = sum(int_from_word(cell[3]) for cell in cells.values() if cell[0] == HEADER_PURSE)
    cells[0] = (
        word_from_int(4),
        pack(CHAIN_ID, BATCH_NUMBER),
        word_from_int(supply),
        pack(SLOT, next_free),
        pack(base_fee, exit_counter),
    )
    cells[1] = (word_from_int(5), *ACCUMULATOR, pack(COUNT, HEIGHT), ZERO)
    return cells


def deposit(sats: int, cell: int = 0xFFFFFFFF, kind: int = 1) -> list[Word]:
    txid = [word_from_int(0xFFFF_FFFF_FFFF_0000 + i) for i in range(4)]
    return [pack(kind, HEIGHT), *txid, pack(3, cell), word_from_int(sats), OWNER_LO, OWNER_HI]


def transfer(
    signer: int,
    to: int,
    amount: int,
    leaf: int = 0,
    *,
    tip: int = 0,
    max_fee: int = 10**9,
    program: int = 0,
    op: int = 0,
) -> list[Word]:
    return [
        pack(signer, leaf),
        pack(program, tip),
        pack(to, op),
        word_from_int(amount),
        word_from_int(max_fee),
    ]


def withdraw(
    signer: int, amount: int, leaf: int = 0, *, length: int = 22, to: int = 0, tip: int = 0, program: int = 0
) -> list[Word]:
    head = transfer(signer, to, amount, leaf, tip=tip, op=1, program=program)
    return [*head, *(word_from_int(0xAB00 + i) for i in range(5)), word_from_int(length)]


@dataclass
class Batch:
    events: Sequence[list[Word]] = ()
    transactions: Sequence[list[Word]] = ()
    slot: int = SLOT + 1
    producer: int = 16
    l1_rate: int = 50
    height: int = HEIGHT + 1
    due: int = COUNT
    counts: tuple[int, int] | None = None
    tape: list[Word] = field(init=False)

    def __post_init__(self) -> None:
        counts = self.counts or (len(self.events), len(self.transactions))
        header = [
            pack(self.slot, self.producer),
            word_from_int(self.l1_rate),
            pack(self.height, self.due),
            pack(*counts),
        ]
        self.tape = [*header, *(w for item in (*self.events, *self.transactions) for w in item)]


def accept_all(message: Sequence[int], owner: Sequence[int], leaf: int) -> bool:
    return True


def run_both(
    program: Program,
    cells: Mapping[int, Cell],
    tape: Sequence[Word],
    check: CheckSignature = accept_all,
    max_steps: int = 1 << 18,
    programs: Sequence[Sequence[int]] = (),
) -> tuple[Execution, MachineRun]:
    """Interpreter and executor, in C and in numba, on the same input; all agree, in results or in refusal."""
    array = tape_array(tape)
    try:
        slow = interpret(program, cells, tape, check, max_steps, programs)
    except MachineError as error:
        for tier in LOOPS:
            try:
                with using(tier):
                    run(program, cells, array, max_steps, programs)
            except MachineError as other:
                assert str(other) == str(error), tier
            else:
                raise AssertionError(f"{tier} does not refuse: {error}") from error
        raise error from None
    for tier in LOOPS:
        with using(tier):
            fast = run(program, cells, array, max_steps, programs)
        assert_equal(slow, fast)
    return slow, fast


LOOPS = tuple(dict.fromkeys(tier for tier in (native.tier(), "numba") if tier in native.tiers()))


@contextmanager
def using(tier: str) -> Iterator[None]:
    """Kernels of a tier."""
    before = native.tier()
    native.set_tier(tier)
    try:
        yield
    finally:
        native.set_tier(before)


def assert_equal(slow: Execution, fast: MachineRun) -> None:
    """Every field of the run is what the interpreter says."""
    assert [step.clk for step in slow.steps] == list(range(1, fast.num_steps + 1))
    assert [step.pc for step in slow.steps] == fast.pc.tolist()
    assert [list(step.instruction.fields()) for step in slow.steps] == fast.instruction.T.tolist()
    for name in ("user", "saved_pc", "program", "uframe", "space", "gas", "fault"):
        assert [getattr(step, name) for step in slow.steps] == getattr(fast, name).tolist(), name
    shadows = fast.shadows
    keys = sorted(slow.seeds)
    assert keys == list(
        zip(shadows.space.tolist(), shadows.cell.tolist(), shadows.word.tolist(), strict=True)
    )
    assert [list(slow.seeds[key]) for key in keys] == shadows.seed.tolist()
    assert [list(slow.shadows[key]) for key in keys] == shadows.last.tolist()
    assert len(slow.entered) == len(fast.programs)
    for name in ("va", "vb", "vc", "h"):
        expected = np.array([getattr(step, name) for step in slow.steps], dtype=np.uint32).T
        assert np.array_equal(expected, getattr(fast, name)), name
    public = [slow.public.get(k, ZERO) for k in range(len(fast.public))]
    assert np.array_equal(np.array(public, dtype=np.uint32), fast.public)
    assert sorted(slow.exit_leaves) == fast.exit_indices.tolist()
    assert [list(slow.exit_leaves[i]) for i in sorted(slow.exit_leaves)] == fast.exit_leaves.tolist()
    touched = sorted(slow.cells_before)
    assert touched == fast.cell_indices.tolist()
    assert cell_list([slow.cells_before[i] for i in touched]) == fast.cells_before.tolist()
    assert cell_list([slow.cells.get(i, EMPTY_CELL) for i in touched]) == fast.cells_after.tolist()
    requests = zip(
        fast.signature_messages.tolist(),
        fast.signature_owners.tolist(),
        fast.signature_leaves.tolist(),
        strict=True,
    )
    assert [(list(m), list(o), leaf) for m, o, leaf in slow.signatures] == list(requests)


def cell_list(cells: Sequence[Cell]) -> list[list[list[int]]]:
    return [[list(word) for word in cell] for cell in cells]


@dataclass
class Outcome:
    """A kernel run, read."""

    execution: Execution
    run: MachineRun
    before: Mapping[int, Cell]

    @property
    def cells(self) -> dict[int, Cell]:
        return self.execution.cells

    def balance(self, index: int) -> int:
        return int_from_word(self.cells[index][3])

    def public(self, k: int) -> int:
        return int_from_word(self.execution.public[k])

    def halves(self, k: int) -> tuple[int, int]:
        return self.public(k) & 0xFFFFFFFF, self.public(k) >> 32


def run_kernel(cells: Mapping[int, Cell], batch: Batch, check: CheckSignature = accept_all) -> Outcome:
    """Run a batch in both machines and check what holds for every batch."""
    execution, machine_run = run_both(kernel(), cells, batch.tape, check)
    outcome = Outcome(execution, machine_run, cells)
    balances = [int_from_word(c[3]) for c in outcome.cells.values() if c[0] == HEADER_PURSE]
    assert sum(balances) == outcome.public(12) == int_from_word(outcome.cells[0][2])
    assert outcome.public(12) == outcome.public(11) + outcome.public(13) - outcome.public(14)
    assert execution.tape_position == len(batch.tape)
    assert sorted(execution.public) == list(range(23))
    return outcome
