"""Random programs in random batches: four programs that own things, called by three signers who may be hostile.

Programs are made of what has some sense (known cells, a few registers, jumps back and forth) and of what has
none, so that every instruction and every system call runs, is refused, overflows and exceeds its gas.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from circuits.machine.abi import Call as Sys
from circuits.machine.isa import Opcode
from circuits.machine.program import Instruction
from circuits.rollup.batch import Batch
from circuits.rollup.cells import DataCell, ProgramCell, Purse, owner_cell
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Ledger
from circuits.rollup.types import (
    BlockHash,
    Call,
    Calls,
    Cosignature,
    Deploy,
    ForcedExit,
    Rotate,
    SignedTransaction,
    Transaction,
    withdraw_script,
)
from circuits.xmss.scheme import PublicKey
from tests.circuits.rollup import builders
from tests.circuits.rollup.builders import ALICE, BLANK_SIGNATURE, BOB, CHAIN_ID, NEXT_FREE, PRODUCER

SIGNERS = (ALICE, BOB, PRODUCER)
PROGRAMS = (60, 61, 62, 63)
SCRIPT, SCRIPT_LENGTH = withdraw_script(b"\x00\x14" + bytes(range(20)))
EXIT = Instruction(Opcode.SYS, imm0=Sys.EXIT.address).encode()
BACK = Instruction(Opcode.JMP).encode()
PLAIN = [op for op in Opcode if Opcode.PAD < op < Opcode.JMP]
JUMPS = [op for op in Opcode if Opcode.JMP <= op <= Opcode.JGE]
HALVES = [Opcode.HGETL, Opcode.HGETH]


def purse_of(program: int) -> int:
    """A purse of BTC; the next cells are a purse of the program's asset and a data cell."""
    return 100 + 10 * (program - PROGRAMS[0])


def world(codes: Sequence[Sequence[int]], keys: Mapping[int, PublicKey] | None = None) -> Ledger:
    """The builders' ledger with programs and what they own; with real keys, if there are."""
    base = builders.ledger()
    cells = dict(base.cells)
    for cell, key in (keys or {}).items():
        cells[cell] = replace(cells[cell], owner=key.owner())
    for program, code in zip(PROGRAMS, codes, strict=True):
        purse = purse_of(program)
        cells[program] = ProgramCell(code_digest(tuple(code)), len(code))
        cells[purse] = Purse(owner_cell(program), 5000)
        cells[purse + 1] = Purse(owner_cell(program), 70, asset=program)
        cells[purse + 2] = DataCell(program, (1, 2, 3, 4))
    cells[0] = replace(base.system, supply=base.system.supply + 5000 * len(PROGRAMS))
    return Ledger.of_cells(cells, [tuple(code) for code in codes])


def _load(rng: random.Random, register: int, value: int) -> list[int]:
    return [Instruction(Opcode.LI, d=register, imm0=value & 0xFFFF, imm1=value >> 16).encode()]


def _large(register: int) -> list[int]:
    """Something near 2^64."""
    ones = Instruction(Opcode.LI, d=register, imm0=0xFFFF, imm1=0xFFFF).encode()
    return [ones, Instruction(Opcode.PACK, d=register, a=register, b=register).encode()]


def random_code(rng: random.Random, program: int) -> tuple[int, ...]:
    """A program that a deployment could carry."""
    own = purse_of(program)
    other = purse_of(rng.choice(PROGRAMS))
    cells = (own, own + 1, own + 2, other, other + 1, other + 2, ALICE, BOB, program, NEXT_FREE, 12)
    numbers = (0, 0, 1, 1, 2, 3, 5, 40, 70, 71, 4999, 1 << 30, 1 << 31)
    words: list[int] = []
    for _ in range(rng.randrange(1, 22)):
        kind = rng.randrange(20)
        if kind < 6:
            words += _load(rng, rng.randrange(1, 5), rng.choice(cells if rng.randrange(3) else numbers))
        elif kind < 11:
            call = rng.choice([call for call in Sys if call is not Sys.FAIL or rng.randrange(8) == 0])
            if rng.randrange(
                2
            ):  # likely arguments: one's own cell, a small number, another's cell, a small number
                place = own + rng.choice((0, 1, 1, 2, 2))
                for register, value in enumerate((place, rng.choice(numbers), rng.choice(numbers)), start=1):
                    words += _load(rng, register, value)
                if call in (Sys.CONTEXT, Sys.CREATE_PURSE):
                    words += _load(rng, 1, rng.choice(numbers))
                if call is Sys.MOVE:
                    words += _load(rng, 2, rng.choice((ALICE, BOB, other, other + 1)))
                if call is Sys.CHECKSIG:
                    words += [*_load(rng, 1, BOB), *_load(rng, 4, rng.choice((40, 41, 42)))]
            words.append(Instruction(Opcode.SYS, imm0=call.address).encode())
        elif kind < 12:
            words += _large(rng.randrange(1, 6))
        elif kind < 15:
            op, target = (
                rng.choice(JUMPS),
                len(words) + rng.choice((1, 1, 2, 2, 3, 1 if rng.randrange(6) else -3)),
            )
            d, a, b = (rng.randrange(7) for _ in range(3))
            words.append(Instruction(op, d, a, b, imm0=max(target, 0)).encode())
        else:
            op = rng.choice(PLAIN if rng.randrange(6) else HALVES)
            d, a, b = (rng.randrange(9) for _ in range(3))
            words.append(Instruction(op, d, a, b, imm0=rng.randrange(9), imm1=rng.choice((0, 1))).encode())
    return (*words, EXIT, BACK, BACK, BACK)


def _calls(rng: random.Random, signer: int, nonce: int, leaf: int, limits: Sequence[int]) -> Calls:
    wanted = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        program = rng.choice((*PROGRAMS, *PROGRAMS, 0, 0, rng.choice((1, ALICE, 1 << 31))))
        arguments = tuple(rng.choice((100, 101, 102, ALICE, BOB, 1, 1000, 1 << 63)) for _ in range(4))
        if program == 0:
            source, target = rng.choice((signer, signer, signer, BOB)), rng.choice((BOB, 100, 110, 101))
            arguments = (source, target, rng.choice((5, 5, 10**13)), 0)
        wanted.append(Call(program, rng.choice((0, 0, 0, 1)), arguments))  # type: ignore[arg-type]
    tx = Calls(signer, nonce, leaf, tuple(wanted), 20_000, 10**10, tip=rng.choice((0, 5)))
    return replace(tx, gas_limit=max(tx.first_gas, rng.choice(limits)))


def _transaction(
    rng: random.Random, signer: int, nonce: int, leaf: int, rotate: bool, limits: Sequence[int]
) -> Transaction:
    kind = rng.randrange(20)
    fields = {"nonce": nonce, "leaf": leaf}
    if kind == 0:
        return builders.transfer(signer, **fields, to=rng.choice((*SIGNERS, 100, 101, 7)))
    if kind == 1:
        return builders.withdraw(signer, **fields)
    if kind == 2 and rotate:
        return Rotate(signer, nonce, leaf, tuple(range(8)), 10**10, first_leaf=rng.choice((0, leaf)))
    if kind == 3:
        return Deploy(signer, nonce, leaf, random_code(rng, rng.choice(PROGRAMS))[-9:], 10**10)
    return _calls(rng, signer, nonce, leaf, limits)


def random_batch(
    rng: random.Random,
    *,
    rotate: bool = True,
    transactions: int = 5,
    limits: Sequence[int] = (0, 3000, 8000, 30_000),
) -> Batch:
    """Transactions of three signers, with blank signatures and as many blank co-signatures as may be asked."""
    events = [
        builders.deposit(),
        BlockHash(90 + rng.randrange(3), bytes(range(32))),
        ForcedExit(90, bytes(32), 2, ALICE, rng.choice((5, 10**9)), (ALICE,) * 8, SCRIPT, SCRIPT_LENGTH),
    ]
    used = dict.fromkeys(SIGNERS, 0)
    wanted = []
    for _ in range(transactions):
        signer = rng.choice(SIGNERS)
        wanted.append(_transaction(rng, signer, 5 + used[signer], 10 + used[signer], rotate, limits))
        used[signer] += 1
    batch = builders.batch(*wanted, events=rng.sample(events, rng.randrange(len(events) + 1)))
    answers = (Cosignature(builders.key(BOB), BLANK_SIGNATURE),) * 8
    return replace(batch, transactions=tuple(replace(tx, cosignatures=answers) for tx in batch.transactions))


__all__ = ["CHAIN_ID", "PROGRAMS", "SIGNERS", "SignedTransaction", "random_batch", "random_code", "world"]
