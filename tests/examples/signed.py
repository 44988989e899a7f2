"""A batch with real keys: a vault is deployed, filled and opened by two, in one batch; and everything else.

`signed_batch` is what the proving tests take: deployment, calls, a co-signature, lists that fail in every way, every
user instruction, a rotation, a forced exit, a block hash, a transfer and a withdrawal.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from circuits.machine.user_assembler import assemble_user
from circuits.rollup.batch import Batch
from circuits.rollup.cells import Cell, Purse
from circuits.rollup.compose import next_batch
from circuits.rollup.files import write_atomic
from circuits.rollup.ledger import Ledger, genesis_cells
from circuits.rollup.sample import BATCH_FILE, STATE_FILE
from circuits.rollup.store import Store
from circuits.rollup.system_calls import cosign_message
from circuits.rollup.types import (
    BlockHash,
    Call,
    Calls,
    Cosignature,
    Deploy,
    Deposit,
    ForcedExit,
    Rotate,
    SignedTransaction,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)
from circuits.xmss.batch import SignRequest, keygen, sign
from circuits.xmss.scheme import SecretKey
from examples.programs import vault

CHAIN, FIRST_FREE = 7, 20
ALICE, BOB, CAROL = 16, 17, 18
BALANCE = 10**11
VAULT, BOOK, KEPT, PROBE = range(FIRST_FREE, FIRST_FREE + 4)
PROBE_SOURCE = """
    .reg x y zero
    .entries every carry borrow divide endless

every:                              ; each user instruction; a second asset, a hash, an event
    LI      x, 7
    MOV     y, x
    MULDIV  y, x, x
    HGETL   y
    HGETH   y
    PACK    y, x, x
    LO      y, y
    HI      y, y
    JEQ     y, x, every
    JNE     y, y, every
    JLT     y, zero, every
    JGE     zero, x, every
    CALL    HASH, x, y, zero
    CALL    CREATE_PURSE, 23, r6
    SYS     MINT                    ; to it, as many as there is HASH left in r2
    SYS     EVENT
    SYS     EXIT
carry:
    ADD     x, r2, r2
borrow:
    SUB     x, zero, r6
divide:
    MULDIV  x, x, zero
endless:
    JMP     endless
"""
SCRIPT = bytes.fromhex("0014") + bytes(range(20))


def keys() -> dict[int, SecretKey]:
    return dict(zip((ALICE, BOB, CAROL), keygen([bytes([i]) * 32 for i in (1, 2, 3)], 8), strict=True))


def transactions(new_owner: tuple[int, ...]) -> list[Transaction]:
    """In order; nonces and leaves start at 0 for all three."""
    fee, limit = 10**10, 40_000
    script, length = withdraw_script(SCRIPT)
    code = vault.build((ALICE, BOB, CAROL)).encode()
    spend = vault.spend(VAULT, CAROL, 9_000, BOB, 7)
    too_much = vault.spend(VAULT, CAROL, 9_000, BOB, 8)
    return [
        Deploy(ALICE, 0, 0, code, fee, tip=1),
        Calls(ALICE, 1, 1, (vault.setup(VAULT), Call.bank_move(ALICE, KEPT, 10_000)), limit, fee, tip=2),
        Calls(ALICE, 2, 2, (spend,), limit, fee),
        Calls(ALICE, 3, 3, (Call.bank_move(ALICE, KEPT, 1), too_much, Call(VAULT)), limit, fee),
        Rotate(CAROL, 0, 0, new_owner, fee, tip=3),
        Transfer(BOB, 0, 9, ALICE, 1234, fee),
        Withdraw(BOB, 1, 10, 5_000, fee, script, length),
        Calls(BOB, 2, 11, (Call(BOOK),), 1_200, fee),
        Deploy(BOB, 3, 12, assemble_user(PROBE_SOURCE).encode(), fee),
        *(
            Calls(BOB, 4 + selector, 13 + selector, (Call(PROBE, selector, (1 << 63, 0, 0, 0)),), limit, fee)
            for selector in range(4)
        ),
        Calls(BOB, 8, 17, (Call(PROBE, 4),), 2_200, fee),
    ]


def signed_batch() -> tuple[dict[int, Cell], Batch]:
    """Genesis cells and the batch."""
    secret = keys()
    purses = {cell: Purse(key.public_key.owner(), BALANCE) for cell, key in secret.items()}
    cells = genesis_cells(CHAIN, 100, next_free=FIRST_FREE, supply=3 * BALANCE) | dict(purses)
    (fresh,) = keygen([b"\x09" * 32], 8)
    wanted = transactions(fresh.public_key.owner())
    requests = [SignRequest(secret[tx.signer], tx.leaf, tx.digest(CHAIN)) for tx in wanted]
    message = cosign_message(CHAIN, VAULT, BOB, CAROL, 9_000)
    requests += [SignRequest(secret[BOB], leaf, message) for leaf in (7, 8)]  # Bob signs twice with Alice
    *own, first, second = sign(requests)
    signed = [
        SignedTransaction(tx, secret[tx.signer].public_key, signature)
        for tx, signature in zip(wanted, own, strict=True)
    ]
    for place, signature in ((2, first), (3, second)):
        answer = Cosignature(secret[BOB].public_key, signature)
        signed[place] = replace(signed[place], cosignatures=(answer,))
    script, length = withdraw_script(SCRIPT)
    owner = purses[CAROL].owner
    events = (
        ForcedExit(5, bytes(range(32)), 1, CAROL, 77, owner, script, length),
        ForcedExit(5, bytes(range(32)), 2, CAROL, 77, purses[BOB].owner, script, length),
        BlockHash(6, bytes(range(32))),
        Deposit(6, bytes(32), 0, 1000, owner, BOB),
    )
    ledger = Ledger.of_cells(cells)
    return cells, next_batch(ledger, signed, events, producer=CAROL, l1_rate=20, bitcoin_height=7)


def write_directory(path: Path) -> None:
    """A batch directory as `pegproof sample` makes it."""
    cells, batch = signed_batch()
    path.mkdir(parents=True, exist_ok=True)
    Store.create(path / STATE_FILE, cells).close()
    write_atomic(path / BATCH_FILE, batch.encode())
