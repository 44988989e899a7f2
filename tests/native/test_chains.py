"""HASH160 chains against hashlib and our RIPEMD160, on every tier and around every edge of a vector."""

import hashlib
import random

import numpy as np
import pytest

import native
from native.errors import KernelError
from verifier.bitcoin.encoding import hash160
from verifier.bitcoin.ripemd160 import ripemd160


def advance(link, steps):
    for _ in range(steps):
        link = hash160(link)
    return link


def test_hash160_is_ripemd160_of_sha256():
    assert hash160(b"a" * 20) == ripemd160(hashlib.sha256(b"a" * 20).digest())


@pytest.mark.parametrize("n", [0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 200])
@pytest.mark.parametrize("steps", [0, 1, 2, 15])
def test_chains_are_hash160_over_and_over(tier, n, steps):
    rng = random.Random(1000 * n + steps)
    links = [bytes(20), b"\xff" * 20, *(rng.randbytes(20) for _ in range(n))][:n]
    found = native.words_links(native.hash160_chains(native.links_words(b"".join(links)), steps))
    assert found == b"".join(advance(link, steps) for link in links)


def test_chains_may_be_in_place(tier):
    words = native.links_words(bytes(range(100)))
    expected = native.hash160_chains(words, 3)
    assert native.hash160_chains(words, 3, out=words) is words
    assert (words == expected).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(KernelError):
        native.hash160_chains(np.zeros((4, 8), np.uint32), 1)
    with pytest.raises(KernelError):
        native.hash160_chains(np.zeros((5, 8), np.uint32), -1)
    with pytest.raises(KernelError):
        native.links_words(bytes(21))
