"""Rates of the bridge's chain, in CPU time: `python -m bench.chain`.

Empty blocks a second of the embedded node, with its log; signatures a second of a committee of five, all five
members in one process, each job under a tweak of its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from verifier.bitcoin.encoding import sha256
from verifier.bitcoin.keys import public_key
from verifier.bitcoin.musig import Tweak
from verifier.bitcoin.musig_session import Batch, Job, Member, combine
from verifier.chain.node import EmbeddedNode

NUM_BLOCKS = 5_000
NUM_SIGNATURES = 2_000
NUM_MEMBERS = 5


def _rate(count: int, work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def _sign() -> None:
    secrets = [bytes([i + 1]) * 32 for i in range(NUM_MEMBERS)]
    messages = [sha256(i.to_bytes(4, "little")) for i in range(NUM_SIGNATURES)]
    jobs = [Job(message, (Tweak(sha256(message)),)) for message in messages]
    batches = [Batch([public_key(s) for s in secrets], jobs) for _ in secrets]
    members = [Member(batch, secret) for batch, secret in zip(batches, secrets, strict=True)]
    nonces = [member.nonces for member in members]
    partials = [member.sign(nonces) for member in members]
    combine(batches[0], nonces, partials)


def main() -> None:
    """Prints the rates."""
    with tempfile.TemporaryDirectory() as place:
        node = EmbeddedNode(Path(place))
        print(f"{_rate(NUM_BLOCKS, lambda: node.mine(NUM_BLOCKS)):,.0f} blocks mined a CPU second")
        node.close()
        print(
            f"{_rate(NUM_BLOCKS, lambda: EmbeddedNode(Path(place)).close()):,.0f} blocks replayed a CPU second"
        )
    print(f"{_rate(NUM_SIGNATURES, _sign):,.0f} signatures of {NUM_MEMBERS} members a CPU second")


if __name__ == "__main__":
    main()
