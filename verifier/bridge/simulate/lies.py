"""Four lies that an operator may tell with a proof, and the cunning prover that hides each as deep as it gets.

Three are batches run by a kernel of which one line is another; everything follows from that line as it would from the
true one: registers, cells, trees, public values. In the fourth a transaction asks for what its owner did not sign. So
the tables break one rule each, and what a plain prover makes of them fails where the lookups are added up.

`CunningProver` hides that: it sends a sum that makes the total zero, and openings at zeta for which every identity
holds. Then the whole head of the proof is right. What the openings are not is the committed polynomials' values, and
that shows in the queries alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from circuits.machine.assembler import assemble
from circuits.machine.executor import run
from circuits.machine.isa import EXIT_LEVEL
from circuits.machine.kernel import CONSTANTS, kernel
from circuits.machine.kernel_source import SOURCE
from circuits.machine.program import Program
from circuits.rollup.batch import Batch
from circuits.rollup.hashing import columns_digests, words_digests
from circuits.rollup.ledger import Ledger
from circuits.rollup.transition import Transition, apply
from circuits.rollup.tree import exit_tree
from circuits.rollup.types import Transfer
from circuits.statement import heights
from circuits.trace import chain, machine, p16, p24
from circuits.trace.p24 import CellUpdates
from circuits.trace.signatures import SignatureBatch
from circuits.witness import witness
from prover.commit import ProvingKey
from prover.field import add, sub
from prover.point import missing_quotients
from prover.proof import Proof
from prover.prove import _Prover

U32 = NDArray[np.uint32]
Tables = dict[str, U32]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a prover claims, and the tables that it has for it."""

    tables: Tables
    public_values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lie:
    """A way to claim what is not.

    Attributes:
        name: of one or two words.
        story: what the operator does.
        tell: makes the claim of a ledger and an honest batch, at a shape.
    """

    name: str
    story: str
    tell: Callable[[Ledger, Batch, str], Statement]


def other_kernel(line: str, instead: str) -> Callable[[Ledger, Batch, str], Statement]:
    """A lie: the batch as a kernel has it in which the first such line is another."""

    def tell(ledger: Ledger, batch: Batch, shape: str) -> Statement:
        head, found, rest = SOURCE.partition(line)
        if not found:
            raise ValueError(f"the kernel has no line {line!r}")
        return run_by(assemble(head + instead + rest, CONSTANTS), ledger, apply(ledger, batch), shape)

    return tell


def run_by(program: Program, ledger: Ledger, true: Transition, shape: str) -> Statement:
    """The tables of a batch run by another kernel, with the ROM of the true one, and what they come to."""
    done = run(program, true.words_before, true.tape, programs=true.programs)
    digests = columns_digests(words_digests(done.cells_after))
    leaves = dict(zip(done.cell_indices.tolist(), digests, strict=True))
    state, exits = ledger.tree.update(leaves), exit_tree().update(true.exits)
    signatures = SignatureBatch.from_claims(true.signatures)
    height = heights(shape)
    traces = machine.generate(done, kernel().rom_columns(), height)
    cells = CellUpdates(done.cell_indices, done.cells_before, done.cells_after)
    tables = {
        "p16": p16.generate(signatures, ((0, state), (EXIT_LEVEL, exits)), height["p16"]),
        "p24": p24.generate(traces.hashes[:21], cells, signatures, height["p24"]),
        "chain": chain.generate(signatures, height["chain"]),
        **traces.tables,
    }
    roots = (*state.root_before, *state.root_after, *exits.root_after)
    return Statement(tables, (*roots, *(limb for word in done.public.tolist() for limb in word)))


def unsigned(ledger: Ledger, batch: Batch, shape: str) -> Statement:
    """A lie: the first transfer moves a satoshi more than its owner signed, with the signature of the smaller one."""
    at = next(i for i, signed in enumerate(batch.transactions) if isinstance(signed.transaction, Transfer))
    signed = list(batch.transactions)
    signed[at] = replace(signed[at], transaction=_dearer(signed[at].transaction))
    changed = replace(batch, transactions=tuple(signed))
    made = witness(apply(ledger, changed, valid=[True] * len(signed)))
    return Statement(made.tables(shape), made.public_values)


def _dearer(transaction: object) -> Transfer:
    if not isinstance(transaction, Transfer):
        raise TypeError(f"{transaction} is no transfer")
    return replace(transaction, amount=transaction.amount + 1_000)


LIES: Final = (
    Lie(
        "invalid transition",
        "what is sent leaves the sender and never arrives",
        other_kernel("STORE   t2, BALANCE, to_balance", "MOV     to_balance, to_balance"),
    ),
    Lie(
        "minted sats",
        "senders keep what recipients get",
        other_kernel("SUB     balance, balance, t3", "MOV     balance, balance"),
    ),
    Lie(
        "wrong fee",
        "transfers pay the tip and nothing else",
        other_kernel("ADD     fee, tip, fixed_transfer", "MOV     fee, tip"),
    ),
    Lie("forged signature", "a transfer moves a satoshi more than its owner signed", unsigned),
)


class CunningProver(_Prover):
    """Proves what is false so that the head of the proof is right: the lie is left to the queries."""

    def _send_sums(self) -> None:
        """The last table's sum is what makes the total zero."""
        total = self.public_contribution()
        for value in self.sums.values():
            total = add(total, value)
        last = self.layout.looking_tables[-1]
        self.sums[last] = sub(self.sums[last], total)
        super()._send_sums()

    def _send_openings(self) -> None:
        """The first quotient column of each height makes up for what its identity misses."""
        missing = missing_quotients(
            self.layout, self.at_zeta, self.at_next, self.lookup, self.alphas, self.sums, self.zeta
        )
        for log, value in missing.items():
            start = self.layout.quotient_start(log)
            self.at_zeta[start] = add(self.at_zeta[start], value)
        super()._send_openings()

    def proof(self) -> Proof:
        """All nine steps."""
        for step in (
            *(self.bind_statement, self.commit_main, self.commit_interaction, self.commit_quotient),
            *(self.open_columns, self.batch, self.commit_fri, self.grind_queries),
        ):
            step()
        return Proof(self.layout, self.public_values, self.open_queries())


def prove_falsely(key: ProvingKey, claim: Statement) -> Proof:
    """A cunning proof of a claim."""
    return CunningProver(key, claim.tables, claim.public_values, None, None, consume=False).proof()
