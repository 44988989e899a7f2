"""Times of batch key generation, signing and verification: `python -m bench.xmss [keys] [signatures]`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from circuits.xmss import batch

HEIGHT = 8


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print how long a block takes, in all and for one of its items."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"{what:>8}: {count} in {seconds:6.2f} s, {1000 * seconds / count:7.2f} ms each")


def main(num_keys: int, num_signatures: int) -> None:
    """Make keys of height 8, sign with them in turn, verify all."""
    seeds = [number.to_bytes(32, "little") for number in range(num_keys)]
    with timed("keygen", num_keys):
        keys = batch.keygen(seeds, HEIGHT)
    requests = [
        batch.SignRequest(keys[i % num_keys], i // num_keys, (i, *range(7))) for i in range(num_signatures)
    ]
    with timed("sign", num_signatures):
        signatures = batch.sign(requests)
    claims = [
        batch.Claim(r.key.public_key.owner(), r.key.public_key, r.epoch, r.message, s)
        for r, s in zip(requests, signatures, strict=True)
    ]
    with timed("verify", num_signatures):
        reasons = batch.verify(claims)
    if any(reasons):
        raise SystemExit("a signature did not verify")


if __name__ == "__main__":
    main(*[int(x) for x in sys.argv[1:]] or (500, 1000))
