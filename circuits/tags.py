"""Domain tags: the first input of every width-24 compression inside the statement (rollup.md, Hashing).

Two uses of `compress` at width 24 never share an input, because their first elements differ. XMSS tree nodes
are not tagged (they follow leanSig: the public parameter comes first); key generation keeps the parameter's
first element at or above TAG_LIMIT, so that a node of an honest key is never a tagged input either.
"""

from __future__ import annotations

from typing import Final

TAG_MSG: Final = 1
"""XMSS message encoding: epoch, randomness, owner, message."""
TAG_OWNER: Final = 2
"""Owner digest of a public key: XMSS root, parameter, key type, key height."""
TAG_CELL: Final = 3
"""Ledger cell (leaf of the state tree)."""
TAG_TX: Final = 4
"""Transaction words."""
TAG_DATA: Final = 5
"""Data commitment."""
TAG_EVENT: Final = 6
"""Inbox event."""
TAG_INBOX: Final = 7
"""Inbox accumulator."""
TAG_EXIT: Final = 8
"""Exit leaf."""
TAG_CODE: Final = 9
"""Program code."""
TAG_LOG: Final = 10
"""Event commitment: what programs say."""
TAG_COSIGN: Final = 11
"""What CHECKSIG's signer signs."""
TAG_USER: Final = 12
"""The system call HASH."""

TAG_LIMIT: Final = 256
"""Every tag is below this."""

KEY_TYPE_XMSS: Final = 1
"""The key type that an owner digest commits to; Schnorr over secp256k1 would be 2."""
