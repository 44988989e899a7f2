"""The game's parameters, and what set-up refuses (rule 2 and rule 4 of the design)."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

from verifier.bridge.errors import BridgeError, BridgeReason

MAX_DELAY: Final = 0xFFFF
"""The longest relative lock in blocks (BIP68)."""
PRICED_QUERIES: Final = 10
"""Of which a false proof fails one, if an operator does not grind 2^80 proofs: what a challenger without data opens."""


@dataclass(frozen=True, slots=True)
class Margins:
    """What every window must leave at least, in blocks.

    Attributes:
        lateness: how late an honest party may be confirmed, at each step.
        answer: between the first moment for a cheap answer and the deadline of the dear one.
        disprove: for the last disproof.
    """

    lateness: int = 144
    answer: int = 432
    disprove: int = 432


MARGINS: Final = Margins()


@dataclass(frozen=True, slots=True)
class Windows:
    """Relative locks, in blocks.

    Attributes:
        take1: T1, from the kickoff to an unchallenged take.
        assert_timeout: T2, from the kickoff to the penalty for not asserting.
        close: Wo, from a node's appearance to its close; who wants it opened has that long.
        reveal_timeout: Wr, from a node's appearance to the penalty for neither closing nor revealing it.
        take2: T3, from the assertion to the take.
        refund: from a deposit to its refund, should the committee not take it in.
    """

    take1: int = 432
    assert_timeout: int = 864
    close: int = 288
    reveal_timeout: int = 720
    take2: int = 3_024
    refund: int = 1_008

    @classmethod
    def for_tree(cls, depth: int, widest_level_vbytes: int = 0, margins: Margins = MARGINS) -> Windows:
        """The defaults with the shortest Wr and T3 that a tree allows."""
        reveal = max(cls().reveal_timeout, _crowd(widest_level_vbytes))
        return cls(reveal_timeout=reveal, take2=depth * (reveal + margins.lateness) + margins.disprove)

    @classmethod
    def longest(cls, depth: int, margins: Margins = MARGINS) -> Windows:
        """The longest Wr that a tree of this depth allows: for drafts, before its widest level is known."""
        reveal = (MAX_DELAY - margins.disprove) // depth - margins.lateness
        return cls(reveal_timeout=reveal, take2=MAX_DELAY)

    def check(self, depth: int, widest_level_vbytes: int, margins: Margins = MARGINS) -> None:
        """Refuses windows that somebody honest could miss.

        Args:
            depth: how many Reveals follow each other at most.
            widest_level_vbytes: what an operator must confirm at once when a whole level is opened.
            margins: least slack; smaller only in models.

        Raises:
            BridgeError: WINDOWS, with the rule.
        """
        crowd = _crowd(widest_level_vbytes)
        last = depth * (self.reveal_timeout + margins.lateness) + margins.disprove
        rules = (
            (self.take1 >= margins.lateness, f"T1 = {self.take1} < {margins.lateness}"),
            (
                self.assert_timeout - self.take1 >= margins.answer,
                f"T2 - T1 = {self.assert_timeout - self.take1} < {margins.answer}",
            ),
            (self.close >= margins.lateness, f"Wo = {self.close} < {margins.lateness}"),
            (
                self.reveal_timeout - self.close >= margins.answer,
                f"Wr - Wo = {self.reveal_timeout - self.close} < {margins.answer}",
            ),
            (self.reveal_timeout >= crowd, f"Wr = {self.reveal_timeout} < {crowd} for a level's bytes"),
            (self.take2 >= last, f"T3 = {self.take2} < depth x (Wr + s) + Wd = {last}"),
            (self.refund >= margins.lateness, f"refund {self.refund} < {margins.lateness}"),
            (max(astuple(self)) <= MAX_DELAY, f"a delay above {MAX_DELAY}"),  # BIP68 cuts off what is higher
        )
        for holds, detail in rules:
            if not holds:
                raise BridgeError(BridgeReason.WINDOWS, detail)


def _crowd(vbytes: int) -> int:
    """Blocks in which so many bytes are confirmed, if a tenth of each is theirs."""
    return -(-10 * vbytes // 1_000_000)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Satoshis.

    Attributes:
        denomination: what a vault holds.
        penalty: output 0 of every penalty, to the watchers' pot.
        disprove_fee_rate: sat/vB that the stake can pay for the largest disproof.
        challenge_price: what a challenge pays to the operator.
        open_price: what an opening pays to the operator.
        relay_rate: sat per 1,000 vB that every transaction pays by itself.
        connector: an output that only orders transactions.
        anchor: a keyed anchor.
        free_anchor: an anchor that anybody may spend (P2A).
    """

    denomination: int = 10_000_000
    penalty: int = 12_000_000
    disprove_fee_rate: int = 500
    challenge_price: int = 100_000
    open_price: int = 40_000
    relay_rate: int = 1_000
    connector: int = 330
    anchor: int = 330
    free_anchor: int = 240

    def fee(self, vbytes: int) -> int:
        """What a transaction of this size pays by itself."""
        return -(-vbytes * self.relay_rate // 1000)

    def stake(self, largest_disprove_vbytes: int) -> int:
        """The value of S: the penalty and the dearest disproof."""
        return self.penalty + self.disprove_fee_rate * largest_disprove_vbytes

    def price_of(self, openings: int, vbytes: int) -> int:
        """What a challenge and so many openings cost whoever sends them, where each has so many vbytes."""
        prices = self.challenge_price + openings * self.open_price
        return prices + (1 + openings) * self.fee(vbytes)

    def check_penalty(self, queries_sats: int) -> None:
        """Refuses a penalty that does not bring back what `PRICED_QUERIES` full queries of the tree cost.

        Raises:
            BridgeError: AMOUNTS.
        """
        if self.penalty < queries_sats:
            detail = f"penalty {self.penalty} < {queries_sats}, the price of {PRICED_QUERIES} full queries"
            raise BridgeError(BridgeReason.AMOUNTS, detail)

    def check(self) -> None:
        """Refuses what nodes would not relay, or what makes a theft pay.

        Raises:
            BridgeError: AMOUNTS.
        """
        rules = (
            (min(self.connector, self.anchor) >= 330, "a taproot output below 330 sat is dust"),
            (self.free_anchor >= 240, "an anchor below 240 sat is dust"),
            (min(self.challenge_price, self.open_price) >= 330, "a price below 330 sat is dust"),
            (self.relay_rate >= 100, "nodes relay nothing below 100 sat per 1,000 vB"),
            (self.disprove_fee_rate >= 500, "the stake must pay a disproof at 500 sat/vB"),
            (self.denomination >= 10_000, "a denomination below 10,000 sat is dust"),
            (
                self.penalty >= self.denomination,
                f"penalty {self.penalty} < denomination {self.denomination}: a false claim would gain more",
            ),
        )
        for holds, detail in rules:
            if not holds:
                raise BridgeError(BridgeReason.AMOUNTS, detail)


@dataclass(frozen=True, slots=True)
class Charter:
    """What all slots of a bridge share: members agree on it before an operator comes, and sign for nothing else.

    An operator chooses neither: with a pot of its own a conviction would cost it nothing, and a challenge at a price
    that nobody has would be none.

    Attributes:
        pot: scriptPubKey of the watchers' pot.
        amounts: denomination, penalty, prices, fees.
    """

    pot: bytes
    amounts: Amounts = Amounts()
