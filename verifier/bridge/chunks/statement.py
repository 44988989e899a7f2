"""What a proof is claimed to say, as the bridge binds it: one digest in the root, and what set-up knows of it.

The claim is the transcript's state once it has absorbed parameters, shape, AIR digest, preprocessed root and public
values: a digest of the verifying key and of the whole statement. Everybody who knows the statement can compute it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from prover.hashing import to_bytes
from prover.key import VerifyingKey
from verifier.bridge.tree import Digits
from verifier.script.winternitz import nibbles
from verifier.stark.reference import ReferenceOps
from verifier.stark.steps import Verification


def claim_of(key: VerifyingKey, public_values: Sequence[int]) -> Digits:
    """The value of `OpeningTree.claim` for a statement.

    Args:
        key: of the proof.
        public_values: the statement, canonical.
    """
    steps = Verification(ReferenceOps(array("I"), public_values), key)
    steps.bind_statement()
    return nibbles(to_bytes(steps.transcript.state))


def known_state(state_root: Sequence[int]) -> dict[int, int]:
    """What set-up knows of the rollup's statement: the ledger from which its batch starts.

    The root comes first among the public values; it fixes chain id, batch number, supply and inbox before the batch.
    """
    return dict(enumerate(state_root))
