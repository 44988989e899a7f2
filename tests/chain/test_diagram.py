"""Chunks against every closed set there is, and what makes a diagram better."""

import random
from fractions import Fraction
from itertools import combinations

import pytest

from verifier.chain.diagram import Group, chunks, is_better, total


def by_trial(groups: dict[bytes, Group], ancestors: dict[bytes, set[bytes]]) -> list[Fraction]:
    """Rates of the chunks: each time the best of all sets that hold their ancestors, the largest of equals."""
    left, rates = set(groups), []
    while left:
        closed = [
            set(some)
            for size in range(1, len(left) + 1)
            for some in combinations(sorted(left), size)
            if all(ancestors[txid] & left <= set(some) for txid in some)
        ]
        best = max(closed, key=lambda members: (Fraction(*total(members, groups)), len(members)))
        rates.append(Fraction(*total(best, groups)))
        left -= best
    return rates


@pytest.mark.parametrize("seed", range(8))
def test_chunks_are_the_best_closed_sets(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        names = [bytes([i]) for i in range(rng.randrange(1, 8))]
        ancestors: dict[bytes, set[bytes]] = {}
        for i, name in enumerate(names):
            above = (ancestors[each] for each in names[:i] if rng.random() < 0.35)
            ancestors[name] = {name}.union(*above)
        groups = {
            name: (rng.choice((0, 5, 50, 500, rng.randrange(999))), rng.randrange(1, 300)) for name in names
        }
        found = chunks(groups, ancestors)
        rates = [Fraction(*total(chunk, groups)) for chunk in found]
        assert sorted(txid for chunk in found for txid in chunk) == names
        assert rates == sorted(rates, reverse=True)
        assert list(dict.fromkeys(rates)) == by_trial(groups, ancestors)


def test_a_large_family_pays_for_its_root() -> None:
    """60 rich children lift one poor parent, which none of them could alone."""
    names = [bytes([i]) for i in range(61)]
    groups = {names[0]: (0, 50_000)} | {name: (1_000, 100) for name in names[1:]}
    ancestors = {name: {name, names[0]} for name in names}
    assert chunks(groups, ancestors) == [set(names)]


def test_a_better_diagram_is_nowhere_lower() -> None:
    old = [(1_000, 100), (100, 100)]
    assert is_better([(1_100, 100), (100, 100)], old)
    assert is_better([*old, (1, 1)], old)
    assert not is_better(old, old)
    assert not is_better([(1_900, 200)], old), "more in all, less for the first hundred bytes"
    assert not is_better([(1_050, 100)], old), "more for the first hundred bytes, less in all"
