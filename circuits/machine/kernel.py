"""THE KERNEL: the program that carries out the rules of a batch (docs/machine.md, "A batch").

Text: `kernel_source`. Read it beside `circuits/rollup/transition.py`, the same rules in plain Python.

**Whoever fills the tape is an attacker.** Why no other outcome has a trace:

- Every hinted word is hashed whole: header words and transactions into D (OUT 9, 10), events into the inbox
  accumulator (OUT 6, 7); H2 is OUT 3. Counts are part of H3, so the loops run as often as D says. The code of a
  deployment stands in D by its hash and its length. One hint is free, `failing` of a list of calls: see below.
- A branch depends on those words and on cells alone. What must not happen jumps to a `refuse` label, which
  has no trace; what may fail (a transfer without funds) jumps to `fail`, or in calls to `call_fails`.
- LOAD, STORE and SIG read limbs 0 and 1 only, and modulo p: each index and leaf is compared, as a u64, with
  2^30 before its use, so that p + i is no other spelling of i. So are the gas that GAS gives (2^30) and the halves
  that HWORD gives (p).
- An ADD or MULDIV that overflows has no trace in kernel mode, so no user may bring one about. Tips, base fee and L1
  rate are below 2^32; gas below 2^19 and bytes below 2^14: a fee is below 2^53. A deposit is bounded before
  it is multiplied, and the supply stays at most 21e17 msat < 2^61; BTC balances, and the sums of amounts and of
  fees, are parts of the supply. Balances of other assets have no such bound: MOVE and MINT compare with 2^64 - 1
  - balance first. nonce <= next leaf + 2^30 (a rotation sets the leaf and needs a nonce below 2^30). Counters in
  u32 (batches, events, exits ever) are not guarded: each step of them costs its cause a fee or a Bitcoin transaction.
- Arithmetic sees u64 words only: from HINT, from arithmetic, from users, and words 3 and 4 of cells whose header was
  compared (all words of data cells; system, inbox and fee cells: by genesis and induction). Raw words (owners,
  digests) are only hashed, compared, stored, published or given to SIG, and sit in registers that never
  hold anything else (`test_kernel_discipline`): none reaches a user.

Lists of calls:

- User code can reach no step without a trace. Deployment lets in user opcodes, jumps inside the code, SYS with a
  known number, and a jump at the end; overflow is a fault; all words of a user's registers are u64 (fresh frames are
  zeros, UPUT gives u64 words, and h is zero at ENTER and SRET).
- `failing` = 0 asserts that every call ended and gas <= limit; `failing` = 1 that a fault, FAIL, a refused system
  call, a TRAP beyond the limit, or gas beyond it at the end came about. Both follow from the transaction and the
  cells, so exactly one has a trace. Where a prover TRAPs is his choice, and makes no difference: gas never falls, a
  user's step costs STEP_GAS, so once a TRAP is accepted, every way on ends above the limit: fail, limit charged.
- What a failing list did to cells is in a shadow space, and to registers (next cell, event commitment) is put back;
  fees, nonce and leaf are outside. Its LEAFs and OUTs: there are none in calls. Its SIGs had to be valid.
- CHECKSIG never answers no. Without a valid signature there is no trace, so a producer can only leave
  the transaction out; what the ledger can decide (no such purse, a passed leaf, no key) fails instead.
- A program moves from purses whose owner is its own cell, mints and burns its own asset, writes its own data cells;
  `program` is set by `next_call` from the signed words. The signer's purses move by the bank's hand alone, by
  a call that he has signed.
- A hook is a call by signer 0 (cell 0 is no purse, so no transaction has that signer) with nothing hinted: `failing` is
  still 0, so a hook that fails has no trace. Its code is what its cell names, which genesis alone writes.
- Signed digests: T0..T4 hold the operation, so the ways in which the rest is absorbed cannot be confused.

Order matters: a self transfer stores the debited balance before it loads the credited one; the producer and
the fee purses are credited after the last transaction; the greatest fee of calls is debited before they run.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from circuits import tags
from circuits.machine.abi import GAS_CALL, GAS_CALLS, GAS_LOADED_WORD, MAX_CALLS, MAX_GAS, Call
from circuits.machine.assembler import assemble
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.machine.isa import CELL_DEPTH, EXIT_DEPTH, NUM_PUBLIC_WORDS, Opcode
from circuits.machine.kernel_source import SOURCE
from circuits.machine.program import Program
from prover.poseidon2 import P

__all__ = ["CONSTANTS", "NUM_PUBLIC_WORDS", "kernel"]

GAS_TRANSFER: Final = 600
GAS_WITHDRAW: Final = 800
BYTES_TRANSFER: Final = 40
BYTES_WITHDRAW: Final = 88
GAS_TARGET: Final = 600_000
MSAT_PER_SAT: Final = 1000
MAX_SATS: Final = 2_100_000_000_000_000
MAX_SUPPLY: Final = MAX_SATS * MSAT_PER_SAT
"""Msat; below 2^61."""
MAX_SCRIPT_BYTES: Final = 40
FIRST_FREE_CELL: Final = 16
BLOCK_CELL: Final = 12
FIRST_HOOK: Final = 13
GAS_ROTATE: Final = 800
BYTES_ROTATE: Final = 72
GAS_DEPLOY: Final = 4000
GAS_DEPLOY_WORD: Final = 250
BYTES_DEPLOY: Final = 40
"""And 8 a word of code."""

CONSTANTS: Final[dict[str, int]] = {
    "TAG_TX": tags.TAG_TX,
    "TAG_DATA": tags.TAG_DATA,
    "TAG_EVENT": tags.TAG_EVENT,
    "TAG_INBOX": tags.TAG_INBOX,
    "TAG_EXIT": tags.TAG_EXIT,
    "GAS_TRANSFER": GAS_TRANSFER,
    "GAS_WITHDRAW": GAS_WITHDRAW,
    "BYTES_TRANSFER": BYTES_TRANSFER,
    "BYTES_WITHDRAW": BYTES_WITHDRAW,
    "TARGET": GAS_TARGET,
    "TWICE_TARGET": 2 * GAS_TARGET,
    "SEVEN_TARGETS": 7 * GAS_TARGET,
    "EIGHT_TARGETS": 8 * GAS_TARGET,
    "MSAT_PER_SAT": MSAT_PER_SAT,
    "MAX_SATS_LOW": MAX_SATS & 0xFFFFFFFF,
    "MAX_SATS_HIGH": MAX_SATS >> 32,
    "MAX_SUPPLY_LOW": MAX_SUPPLY & 0xFFFFFFFF,
    "MAX_SUPPLY_HIGH": MAX_SUPPLY >> 32,
    "MAX_SCRIPT_BYTES": MAX_SCRIPT_BYTES,
    "CELL_LIMIT": 1 << CELL_DEPTH,
    "EXIT_LIMIT": 1 << EXIT_DEPTH,
    "MAX_U32": 0xFFFFFFFF,
    "TAG_CODE": tags.TAG_CODE,
    "TAG_LOG": tags.TAG_LOG,
    "TAG_COSIGN": tags.TAG_COSIGN,
    "TAG_USER": tags.TAG_USER,
    "PRIME": P,
    "BLOCK_CELL": BLOCK_CELL,
    "FIRST_HOOK": FIRST_HOOK,
    "HOOKS_END": FIRST_FREE_CELL,
    "GAS_ROTATE": GAS_ROTATE,
    "BYTES_ROTATE": BYTES_ROTATE,
    "GAS_DEPLOY": GAS_DEPLOY,
    "GAS_DEPLOY_WORD": GAS_DEPLOY_WORD,
    "BYTES_DEPLOY": BYTES_DEPLOY,
    "GAS_CALLS": GAS_CALLS,
    "GAS_CALL": GAS_CALL,
    "GAS_LOADED_WORD": GAS_LOADED_WORD,
    "MAX_CALLS": MAX_CALLS,
    "MAX_GAS": MAX_GAS,
    "MAX_CODE": MAX_CODE_LENGTH,
    "OP_JMP": Opcode.JMP,
    "OP_JGE": Opcode.JGE,
    "OP_SYS": Opcode.SYS,
    "FIRST_SYS": min(Call).address,
    "LAST_SYS": max(Call).address,
    "PURSE": 1,
    "BASE_FEE_CELL": 2,
    "DATA_FEE_CELL": 3,
    "HEADER": 0,
    "OWNER_LO": 1,
    "OWNER_HI": 2,
    "BALANCE": 3,
    "SEQUENCE": 4,
}


@cache
def kernel() -> Program:
    """The assembled kernel: the ROM of the statement."""
    return assemble(SOURCE, CONSTANTS)
