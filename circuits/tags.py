"""First elements of the tagged width-24 compressions, one number a use.

Two uses of `compress` at width 24 never share an input, because their first elements differ. XMSS tree
nodes are not tagged (they follow leanSig: the public parameter comes first); key generation keeps the
parameter's first element at or above TAG_LIMIT, so that a node of an honest key is never a tagged input
either.
"""

from __future__ import annotations

from typing import Final

TAG_MSG: Final = 1
"""An XMSS message hash: epoch, randomness, owner, message."""
TAG_OWNER: Final = 2
"""The owner of a purse: XMSS root, parameter, key type, key height."""
TAG_CELL: Final = 3
"""A cell of the ledger."""
TAG_WORDS: Final = 4
"""A run of words."""

TAG_LIMIT: Final = 256
"""Every tag is below this."""

KEY_TYPE_XMSS: Final = 1
"""The key type that an owner digest commits to; Schnorr over secp256k1 would be 2."""
