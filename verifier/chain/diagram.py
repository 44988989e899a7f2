"""Fee-rate diagrams: what a miner earns from transactions that wait, by the bytes that they fill.

A miner takes them in chunks: of all sets that hold their own ancestors the one of the best rate, then the best of
what is left. From Core 31 on a replacement must leave a diagram that is nowhere lower and somewhere higher.
Source: Core's doc/policy/mempool-replacements.md, util/feefrac.cpp (CompareChunks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from itertools import pairwise

Group = tuple[int, int]
"""Fee and vbytes."""


def chunks(groups: Mapping[bytes, Group], ancestors: Mapping[bytes, AbstractSet[bytes]]) -> list[set[bytes]]:
    """The chunks of some transactions, best rate first.

    Args:
        groups: of each transaction.
        ancestors: of each, itself included; those that are not in `groups` do not count.
    """
    left = set(groups)
    found = []
    while left:
        found.append(_best(left, groups, ancestors))
        left -= found[-1]
    return found


def total(members: AbstractSet[bytes], groups: Mapping[bytes, Group]) -> Group:
    """Fee and vbytes of a set."""
    return sum(groups[txid][0] for txid in members), sum(groups[txid][1] for txid in members)


def is_better(new: Sequence[Group], old: Sequence[Group]) -> bool:
    """Whether a diagram is nowhere below another one, and somewhere above it."""
    new_points, old_points = _points(new), _points(old)
    sizes = {size for size, _ in (*new_points, *old_points)}
    differences = [_height(new_points, size) - _height(old_points, size) for size in sizes]
    return min(differences) >= 0 and max(differences) > 0


def _points(parts: Sequence[Group]) -> list[Group]:
    """The corners of a diagram, as size and fee."""
    points = [(0, 0)]
    for fee, size in parts:
        points.append((points[-1][0] + size, points[-1][1] + fee))
    return points


def _height(points: Sequence[Group], size: int) -> Fraction:
    """The fee at a size; behind the last corner nothing is added."""
    for (x, low), (to, high) in pairwise(points):
        if size <= to:
            return low + Fraction((high - low) * (size - x), to - x)
    return Fraction(points[-1][1])


def _best(
    left: AbstractSet[bytes], groups: Mapping[bytes, Group], ancestors: Mapping[bytes, AbstractSet[bytes]]
) -> set[bytes]:
    """The closed set of the best rate: a set is improved until no other has more than its rate (Dinkelbach)."""
    above = {txid: set(ancestors[txid] & left) for txid in left}
    best = max(above.values(), key=lambda members: Fraction(*total(members, groups)))
    while True:
        fee, size = total(best, groups)
        surplus = {txid: groups[txid][0] * size - groups[txid][1] * fee for txid in left}
        better = _richest(surplus, above)
        if not better:
            return best
        best = better


def _richest(surplus: Mapping[bytes, int], above: Mapping[bytes, AbstractSet[bytes]]) -> set[bytes]:
    """The closed set with the largest sum, which is empty if none is positive.

    Those with a surplus pay the debts of their ancestors, by whatever detour; who has something left in the end,
    and all whose debts it could still reach, are the set (a minimum cut).
    """
    has = {txid: value for txid, value in surplus.items() if value > 0}
    owes = {txid: -value for txid, value in surplus.items() if value < 0}
    paid: dict[bytes, dict[bytes, int]] = {txid: {} for txid in owes}
    while True:
        came_from = {txid: txid for txid, value in has.items() if value}
        queue = list(came_from)
        for here in queue:  # grows while it is walked
            onward = (above[here] if here in has else paid[here].keys()) - came_from.keys()
            reached = {txid for txid in onward if txid in (owes if here in has else has)}
            came_from |= dict.fromkeys(reached, here)
            queue += reached
        open_debt = next((txid for txid in queue if owes.get(txid)), None)
        if open_debt is None:
            return set().union(*(above[txid] for txid in came_from if txid in has))
        _pay(open_debt, has, owes, paid, came_from)


def _pay(
    debt: bytes,
    has: dict[bytes, int],
    owes: dict[bytes, int],
    paid: dict[bytes, dict[bytes, int]],
    came_from: Mapping[bytes, bytes],
) -> None:
    """Moves what one path can carry: each payer on it takes over the next debt from who paid it before."""
    steps = []
    here, amount = debt, owes[debt]
    while True:
        payer = came_from[here]
        before = came_from[payer]
        steps.append((payer, here, before))
        if before == payer:
            break
        amount = min(amount, paid[before][payer])
        here = before
    amount = min(amount, has[payer])
    has[payer] -= amount
    owes[debt] -= amount
    for payer, taken, left in steps:
        paid[taken][payer] = paid[taken].get(payer, 0) + amount
        if left != payer:
            paid[left][payer] -= amount
            if not paid[left][payer]:
                del paid[left][payer]
