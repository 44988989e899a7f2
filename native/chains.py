"""HASH160 chains, many at once: what makes Winternitz keys (verifier/script/winternitz.py)."""

from __future__ import annotations

import numpy as np

from native import checks
from native.backend import run
from native.checks import U32
from native.errors import KernelError

LINK_WORDS = 5


def hash160_chains(starts: U32, steps: int, out: U32 | None = None) -> U32:
    """Each link hashed `steps` times: RIPEMD160 of SHA256 of its 20 bytes.

    Shapes: (5, n) -> (5, n), a column the little-endian words of a link; `out` may be `starts`.

    Raises:
        KernelError: another shape, or a negative number of steps.
    """
    checks.array("hash160_chains", starts, None, None)
    if starts.shape[0] != LINK_WORDS or steps < 0:
        raise KernelError("hash160_chains", "five rows, steps from 0", f"{starts.shape}, {steps}")
    out = checks.output("hash160_chains", out, *starts.shape)
    run("hash160_chains", starts, out, starts.shape[1], steps)
    return out


def links_words(links: bytes) -> U32:
    """Links of 20 bytes, one after the other, as the kernel takes them: (5, n).

    Raises:
        KernelError: not a whole number of links.
    """
    if len(links) % (4 * LINK_WORDS):
        raise KernelError("links_words", "20 bytes a link", str(len(links)))
    return np.ascontiguousarray(np.frombuffer(links, "<u4").reshape(-1, LINK_WORDS).T, dtype=np.uint32)


def words_links(words: U32) -> bytes:
    """The inverse of `links_words`."""
    return np.ascontiguousarray(words.T, dtype="<u4").tobytes()
