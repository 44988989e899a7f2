"""Small ledgers and batches with stand-in keys: what a test does not name gets a harmless default."""

from dataclasses import replace

from circuits.rollup.batch import Batch, Header
from circuits.rollup.cells import DataCell, Purse
from circuits.rollup.ledger import Ledger, genesis_cells
from circuits.rollup.published import BLANK_SIGNATURE
from circuits.rollup.transition import apply
from circuits.rollup.types import Deposit, SignedTransaction, Transfer, Withdraw, withdraw_script
from circuits.xmss.scheme import PublicKey

CHAIN_ID = 7
BASE_FEE = 100
PRODUCER, ALICE, BOB, CAROL, TOKEN, DATA = 16, 17, 1000, 4999, 40, 41
START = 10**12
NEXT_FREE = 5000


def key(cell):
    """A stand-in public key for the purse in a cell."""
    return PublicKey((cell + 1,) * 8, (300, 0, 0, 0, 0), 8)


def ledger(**changes):
    """Four BTC purses with keys, a purse of another asset, a data cell."""
    purses = {c: Purse(key(c).owner(), START, 5, 10) for c in (PRODUCER, ALICE, BOB, CAROL)}
    supply = START * len(purses)
    cells = genesis_cells(CHAIN_ID, BASE_FEE, next_free=NEXT_FREE, supply=supply) | purses
    cells[TOKEN] = Purse(key(TOKEN).owner(), START, asset=9)
    cells[DATA] = DataCell(3, (1, 2, 3, 4))
    cells[0] = replace(cells[0], slot=3, **changes)
    cells[1] = replace(cells[1], bitcoin_height=100)
    return Ledger.of_cells(cells)


def transfer(signer=ALICE, **changes):
    fields = {"nonce": 5, "leaf": 10, "to": BOB, "amount": 1000, "max_fee": 10**9, "tip": 3}
    return Transfer(signer, **(fields | changes))


def withdraw(signer=ALICE, **changes):
    script, length = withdraw_script(b"\x00\x14" + bytes(range(20)))
    fields = {
        "nonce": 5,
        "leaf": 10,
        "amount": 5000,
        "max_fee": 10**9,
        "script": script,
        "script_length": length,
    }
    return Withdraw(signer, **(fields | changes))


def deposit(**changes):
    fields = {"height": 90, "txid": bytes(range(32)), "vout": 1, "sats": 50, "owner": key(99).owner()}
    return Deposit(**(fields | changes))


def batch(*transactions, events=(), chain_id=CHAIN_ID, **header):
    fields = {"slot": 4, "producer": PRODUCER, "l1_rate": 20, "bitcoin_height": 100, "inbox_due_count": 0}
    signed = tuple(SignedTransaction(tx, key(tx.signer), BLANK_SIGNATURE) for tx in transactions)
    return Batch(chain_id, Header(**(fields | header)), tuple(events), signed)


def run(before, after, **options):
    """Execute with every signature taken as valid."""
    return apply(
        before, after, valid=[True] * len(after.transactions), check_cosignature=lambda claim: True, **options
    )


def balance(ledger, cell):
    return ledger.cells[cell].balance


def numbered(state, wanted):
    """Transactions of (kind, fields) with the nonces and leaves that follow; most of them can be included."""
    txs, uses = [], {}
    for kind, fields in wanted:
        signer, purse = fields["signer"], state.cells.get(fields["signer"])
        nonce = getattr(purse, "nonce", 0) + uses.get(signer, 0)
        leaf = getattr(purse, "next_leaf", 0) + uses.get(signer, 0)
        txs.append((transfer if kind == "t" else withdraw)(nonce=nonce, leaf=leaf, **fields))
        uses[signer] = uses.get(signer, 0) + (fields["max_fee"] > 0 and fields["tip"] < 1000)
    return txs
