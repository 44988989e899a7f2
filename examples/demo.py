"""`make demo`: signed Bitcoin-L2 transactions in, a 128-bit proof out, Bitcoin as its judge, told step by step.

Everything is written to out/demo and may be deleted. The commands shown are the ones that you can type.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray

from circuits.rollup.batch import Batch
from circuits.rollup.cells import Purse
from circuits.rollup.execute import execute_batch
from circuits.rollup.params import FIRST_FREE_CELL
from circuits.rollup.transition import apply
from circuits.rollup.words import u64_word
from circuits.statement import system
from circuits.tables.add import AddAir
from circuits.witness import witness
from examples.settle import settle
from examples.telling import DemoFailed, console, heading, say
from prover.air.check import Violations, check
from prover.prove import prove
from verifier.cli.main import cli
from verifier.pipeline import (
    Executed,
    identify,
    megabytes,
    proving_key,
    run_batch,
    verify_proof,
)
from verifier.stark.reasons import VerificationError

U32 = NDArray[np.uint32]

OUT = Path("out/demo")
ADDER = AddAir.Main
SMALL, BIG = 50, 1000


def pegproof(*arguments: str) -> dict[str, object]:
    """Shows a command as a person types it, runs it with --json, and gives its figures."""
    console.print(f"\n[green]$ pegproof {' '.join(arguments)}[/]")
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    if result.exit_code:
        raise DemoFailed(f"pegproof {' '.join(arguments)}: {result.output}")
    figures: dict[str, object] = json.loads(result.stdout)
    return figures


def main() -> None:
    """The whole story."""
    start = time.perf_counter()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    small = str(OUT / "small")
    proof = str(OUT / "small.proof")
    introduce()
    batch_is_made(small)
    executed = batch_is_executed(small)
    batch_is_proven(small, proof)
    proof_is_verified(proof, executed)
    proof_is_tampered_with(proof)
    operator_cheats(Path(small))
    program_is_called()
    thousand_transfers()
    settle()
    say_goodbye(time.perf_counter() - start)


def introduce() -> None:
    """What this is about."""
    heading("pegproof: one proof instead of re-executing every transaction")
    say(
        """A Bitcoin layer 2 keeps accounts ("purses") outside Bitcoin and must convince everybody that its
        operator moved only money that owners signed away. Here the operator makes a STARK proof: a file of
        about a megabyte that anyone checks in milliseconds, without the transactions and without trust in the
        operator."""
    )


def batch_is_made(directory: str) -> None:
    """Step 1."""
    heading("1. A batch of signed transactions")
    say(
        f"""A fresh ledger, its accounts spread over a million cells, and {SMALL} transfers, plus deposits
        from Bitcoin and withdrawals to it. Each transaction carries a hash-based (XMSS) signature."""
    )
    figures = pegproof("sample", "--transfers", str(SMALL), "--seed", "7", "--out", directory)
    console.print(
        f"{figures['transfers']} transfers, {figures['deposits']} deposit(s), "
        f"{figures['withdrawals']} withdrawal(s) among {figures['accounts']} accounts; "
        f"the batch file has {figures['batch_bytes']:,} bytes"
    )


def batch_is_executed(directory: str) -> Executed:
    """Step 2."""
    heading("2. Execution: what the batch does to the ledger")
    figures = pegproof("execute", directory)
    executed = run_batch(Path(directory))
    values = executed.public_values
    console.print(f"ledger before  {figures['state_root_before']}")
    console.print(f"ledger after   {figures['state_root_after']}")
    console.print(
        f"supply         {values.supply_before:,} + {values.deposits:,} deposited "
        f"- {values.withdrawals:,} withdrawn = {values.supply_after:,} msat"
    )
    console.print(f"fees           {figures['fees_msat']} msat, each credited to a named purse")
    return executed


def batch_is_proven(directory: str, proof: str) -> None:
    """Step 3."""
    heading("3. The proof")
    say(
        """Execution is written down as tables (hashes, signatures, memory, arithmetic); equations between
        neighbouring cells say that every step followed the rules. The prover commits to the tables and shows
        that the equations hold."""
    )
    figures = pegproof("prove", directory, "-o", proof)
    show_proof(figures)


def show_proof(figures: dict[str, object]) -> None:
    """A proof's figures in one line."""
    console.print(
        f"{figures['transactions']:,} transactions -> {figures['proof_bytes']:,} bytes "
        f"in {figures['seconds']:.2f} s, {figures['proven_bits']:.0f} proven bits, "
        f"peak memory {megabytes(int(str(figures['peak_rss_bytes'])))}, shape {figures['shape']}"
    )


def proof_is_verified(proof: str, executed: Executed) -> None:
    """Step 4."""
    heading("4. Verification, by someone who has only the proof")
    figures = pegproof("verify", proof)
    console.print(
        f"accepted: {figures['accepted']}, {figures['proven_bits']:.0f} proven bits, "
        f"{1000 * float(str(figures['check_seconds'])):.1f} ms"
    )
    values = executed.public_values
    say(
        f"""So it is proven that {values.num_txs} transactions, each signed by the owner of the purse that
        pays, and {values.inbox_count_after} deposit(s) lead from the one ledger to the
        other; that no msat was created or lost on the way; that every fee was charged and credited; and which
        {values.num_exits} withdrawal(s) Bitcoin must pay. `pegproof inspect` lists every public value."""
    )


def proof_is_tampered_with(proof: str) -> None:
    """Step 5."""
    heading("5. A proof with one bit flipped")
    data = bytearray(Path(proof).read_bytes())
    data[len(data) // 2] ^= 1
    tampered = OUT / "tampered.proof"
    tampered.write_bytes(data)
    console.print(f"\n[green]$ pegproof verify {tampered}[/]")
    result = CliRunner().invoke(cli, ["verify", str(tampered), "--json"])
    figures = json.loads(result.stdout)
    if figures["accepted"] or result.exit_code != 1:
        raise DemoFailed("the tampered proof was accepted")
    console.print(f"refused (exit code 1): {figures['reason']}: {figures['detail']}")


def operator_cheats(directory: Path) -> None:
    """Step 6."""
    heading("6. A dishonest operator")
    executed = run_batch(directory)
    forged_signature(executed)
    minted_balance(executed)


def forged_signature(executed: Executed) -> None:
    """A transaction that its owner did not sign."""
    say("[bold]A forged signature.[/] Transaction 0 asks for another amount than its owner signed.")
    batch, ledger = executed.source.batch, executed.source.ledger
    first = batch.transactions[0]
    forged = replace(first, transaction=replace(first.transaction, amount=first.transaction.amount + 1000))
    changed: Batch = replace(batch, transactions=(forged, *batch.transactions[1:]))
    left = execute_batch(ledger, changed).transition.left_out[0]
    console.print(f"  executor: transaction {left.position} is left out: {left.reason}")
    say("  An operator who skips that check and fills the tables all the same:")
    lie = witness(apply(ledger, changed, valid=[True] * len(changed.transactions)))
    refuse(lie.tables(executed.shape()), lie.public_values)


def minted_balance(executed: Executed) -> None:
    """A sum that is a thousand msat too large."""
    tables = executed.witness.tables(executed.shape())
    cell, row = credited_purse(executed, tables["add"])
    say(
        f"""[bold]Minted money.[/] In the table of sums, the final balance of cell {cell} is raised by a
        satoshi."""
    )
    tables["add"] = tables["add"].copy()
    tables["add"][ADDER.names.index("z[0]"), row] += 1000
    refuse(tables, executed.public_values.elements())
    say("  An operator who sends a proof of these tables anyway:")
    key = proving_key("standard", executed.shape())
    data = prove(key, tables, executed.public_values.elements(), check_self=False).encode()
    try:
        verify_proof(identify(data))
    except VerificationError as error:
        console.print(f"  verifier: refused: {error.reason.name}: {error.reason}")
    else:
        raise DemoFailed("a proof of minted money was accepted")


def credited_purse(executed: Executed, sums: U32) -> tuple[int, int]:
    """A purse and the row of the sum that is its final balance."""
    limbs = sums[[ADDER.names.index(f"z[{i}]") for i in range(4)]].astype(np.int64)
    room = (limbs[0] < 60_000) & (sums[ADDER.names.index("mult_add")] > 0)
    for index, cell in executed.execution.transition.cells_after.items():
        if isinstance(cell, Purse) and index >= FIRST_FREE_CELL:
            wanted = np.array(u64_word(cell.balance))[:, None]
            rows = np.flatnonzero((limbs == wanted).all(axis=0) & room)
            if len(rows):
                return index, int(rows[0])
    raise DemoFailed("no balance was found in the table of sums")


def refuse(tables: dict[str, U32], public_values: Sequence[int]) -> None:
    """Shows which equations the tables break."""
    found: Violations = check(system(), tables, public_values)
    if not found:
        raise DemoFailed("the false tables satisfy every constraint")
    console.print(
        f"  checker: {found.num_constraints} violated constraint(s), "
        f"{found.num_tuples} unbalanced lookup tuple(s); first:"
    )
    for item in (*found.constraints[:1], *found.tuples[:1]):
        line = str(item)
        console.print("    " + (line if len(line) < 160 else line[:157] + "..."), markup=False)


def program_is_called() -> None:
    """Step 7."""
    heading("7. A program that nobody built a circuit for")
    say(
        """Anyone can deploy code in a transaction. This one counts: its word in the ledger changes by its own
        steps alone. Each run is proven step by step: the code, its gas, what it writes, what it says."""
    )
    wallet, directory, proof = str(OUT / "wallet"), str(OUT / "program"), str(OUT / "program.proof")
    source = os.path.relpath(Path(__file__).parent / "programs/counter.asm")
    pegproof("wallet", "new", wallet, "--height", "8")
    pegproof("sample", "--transfers", "2", "--out", directory, "--wallet", wallet)
    options = ("--batch", directory)
    deployed = pegproof("wallet", "deploy", wallet, source, "--const", "OWNER=16", *options)
    console.print(f"{deployed['instructions']} instructions, in cell {deployed['program']} of the ledger")
    for number in (5, 7):
        called = pegproof("wallet", "call", wallet, f"{deployed['program']}:0:{number}", *options)
        console.print(f"{called['gas']:,} gas; the program says {called['events']}")
    figures = pegproof("prove", directory, "-o", proof)
    show_proof(figures)
    console.print(f"accepted: {pegproof('verify', proof)['accepted']}")


def thousand_transfers() -> None:
    """Step 8."""
    heading(f"8. {BIG:,} transfers in one proof")
    say(
        "The same with the shape that an operator uses all day; making the keys and signatures takes longest."
    )
    directory, proof = str(OUT / "big"), str(OUT / "big.proof")
    start = time.perf_counter()
    pegproof("sample", "--transfers", str(BIG), "--seed", "7", "--out", directory)
    console.print(f"signed in {time.perf_counter() - start:.1f} s")
    figures = pegproof("prove", directory, "-o", proof)
    show_proof(figures)
    steps = sorted(dict(figures["steps"]).items(), key=lambda item: -item[1])  # type: ignore[call-overload]
    console.print("longest steps: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in steps[:5]))
    verdict = pegproof("verify", proof)
    console.print(f"accepted: {verdict['accepted']}, {1000 * float(str(verdict['check_seconds'])):.1f} ms")


def say_goodbye(seconds: float) -> None:
    """Where to go next."""
    heading(f"Done in {seconds:.0f} s. Where to go next")
    for text in (
        'prove your own transactions, run your own program: README.md, "Prove your own batch"',
        "what exactly is proven, and what is not yet: docs/statement.md",
        f"look closer: .venv/bin/pegproof inspect {OUT}/big.proof (or security, cells, doctor)",
        "play the other scenarios of the bridge: .venv/bin/pegproof bridge simulate --list; docs/bridge.md",
        "how it works: docs/architecture.md (proof system), docs/machine.md (ledger and machine)",
        "the tests: make test",
    ):
        console.print(f"  - {text}", markup=False)


if __name__ == "__main__":
    try:
        main()
    except DemoFailed as failure:
        raise SystemExit(f"demo failed: {failure}") from failure
