"""Numbers of the ledger's rules (docs/machine.md, A batch)."""

from __future__ import annotations

from typing import Final

CELL_DEPTH: Final = 30
EXIT_DEPTH: Final = 10
CELL_LIMIT: Final = 1 << CELL_DEPTH
EXIT_LIMIT: Final = 1 << EXIT_DEPTH

SYSTEM_CELL: Final = 0
INBOX_CELL: Final = 1
BASE_FEE_PURSE: Final = 2
DATA_FEE_PURSE: Final = 3
BLOCK_CELL: Final = 12
"""Hash of the last Bitcoin block that the inbox told of."""
HOOK_CELLS: Final = range(13, 16)
"""Programs that run before the first transaction of each batch."""
FIRST_FREE_CELL: Final = 16
NO_CELL: Final = 0xFFFFFFFF
"""Cell number of a deposit that asks for a new purse (any number that names no BTC purse does)."""

MSAT_PER_SAT: Final = 1000
MAX_DEPOSIT_SATS: Final = 2_100_000_000_000_000
MAX_SUPPLY: Final = MAX_DEPOSIT_SATS * MSAT_PER_SAT
"""Msat; below 2^61. A deposit that would exceed it is a no-op."""
LEAF_LIMIT: Final = 1 << 30
"""Above every signature leaf."""
ROTATION_NONCE_LIMIT: Final = 1 << 30
"""A purse with a nonce above this cannot change its key: or nonces, which go on, would leave 32 bits."""

GAS_TRANSFER: Final = 600
GAS_WITHDRAW: Final = 800
BYTES_TRANSFER: Final = 40
BYTES_WITHDRAW: Final = 88
GAS_TARGET: Final = 600_000
"""Gas of a batch at which the base fee stays as it is: 1,000 transfers."""
BASE_FEE_FLOOR: Final = 1
BASE_FEE_CEILING: Final = 0xFFFFFFFF
"""Msat per gas."""

BANK_PROGRAM: Final = 0
OP_TRANSFER: Final = 0
OP_WITHDRAW: Final = 1
OP_ROTATE: Final = 2
OP_DEPLOY: Final = 3
OP_CALLS: Final = 4
EVENT_DEPOSIT: Final = 1
EVENT_FORCED_EXIT: Final = 2
EVENT_BLOCK_HASH: Final = 3

GAS_ROTATE: Final = 800
BYTES_ROTATE: Final = 72
GAS_DEPLOY: Final = 4000
GAS_DEPLOY_WORD: Final = 250
BYTES_DEPLOY: Final = 40
"""And 8 an instruction."""
BYTES_CALL: Final = 40
"""Of each call, and of the head."""

SCRIPT_BYTES: Final = 40
"""Room for a scriptPubKey: witness programs have at most 42 bytes, those in use 22 and 34."""
U32_LIMIT: Final = 1 << 32
U64_LIMIT: Final = 1 << 64
