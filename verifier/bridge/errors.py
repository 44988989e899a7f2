"""Why the bridge refuses."""

from __future__ import annotations

from enum import StrEnum


class BridgeReason(StrEnum):
    """The rule that stopped it."""

    WINDOWS = "a time window is too short"
    AMOUNTS = "an amount is too small"
    SHAPE = "the tree does not fit into transactions"
    REBUILD = "what was published does not rebuild the graph"
    ORDER = "a signature is asked for out of order"
    OFFLINE = "a committee member does not answer"
    SHARE = "a committee member sent a wrong share"
    DIFFER = "committee members were told different things"
    SIGNATURE = "a signature does not hold"
    EQUIVOCATION = "another value of this wire is signed already"
    MESSAGE = "a message cannot be read, or is not of this slot"
    PROOF = "this proof is not to be asserted here"
    STATE = "the state directory is not of this role and network"
    FUNDS = "the purse cannot pay for it"
    TOO_EARLY = "the chain does not allow it yet"
    UNKNOWN = "no such transaction"
    NO_FAULT = "nothing convicts the node"
    NO_CLAIM = "the statement has no public values, so nothing to claim"
    WORDS = "these are not the words of a proof for this tree"


class BridgeError(RuntimeError):
    """A refusal: nothing was signed, nothing is lost.

    Attributes:
        reason: the rule that stopped it.
    """

    def __init__(self, reason: BridgeReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self._detail = detail

    def __reduce__(self) -> tuple[type[BridgeError], tuple[BridgeReason, str]]:
        return BridgeError, (self.reason, self._detail)  # a worker's error travels to its parent
