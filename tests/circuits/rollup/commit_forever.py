"""Run by test_store in a process of its own: commits batches until it is killed, telling each number."""

import sys
from pathlib import Path

from circuits.rollup.store import Store
from tests.circuits.rollup.builders import batch, run, transfer


def main():
    with Store.open(Path(sys.argv[1])) as store:
        state = store.ledger()
        while True:
            number = state.system.batch_number
            done = run(state, batch(transfer(nonce=5 + number, leaf=10 + number), slot=4 + number))
            print(store.commit(done), flush=True)
            state = done.ledger


if __name__ == "__main__":
    main()
