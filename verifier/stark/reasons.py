"""Why a proof is rejected."""

from __future__ import annotations

from enum import StrEnum


class RejectReason(StrEnum):
    """The rule that a proof, or the demand made of it, breaks; in the order in which they are checked."""

    WEAK_PARAMETERS = "parameters prove fewer bits than asked for"
    MAGIC = "not a pegproof proof"
    VERSION = "another version of the proof format"
    PARAMETERS = "parameters differ from the key's"
    SHAPE = "shape differs from the key's"
    LENGTH = "wrong length"
    NON_CANONICAL = "field element is not below p"
    PUBLIC_VALUES = "public values differ from the statement's"
    DIVISION_BY_ZERO = "a challenge hit a pole"
    LOOKUP_SUM = "cumulative sums and public tuples do not cancel"
    ZETA = "out-of-domain point lies in the base field"
    CONSTRAINTS = "constraints do not hold at the out-of-domain point"
    BATCHING_GRINDING = "work before gamma is missing"
    QUERY_GRINDING = "work before the queries is missing"
    ROW_PATH = "opened row is not in the committed tree"
    FRI_PATH = "FRI group is not in the committed layer"
    DEEP = "first FRI layer disagrees with the opened rows"
    FRI_FOLD = "FRI layer disagrees with the fold of the one before"
    FINAL_POLYNOMIAL = "last fold disagrees with the final polynomial"


class VerificationError(Exception):
    """A proof was rejected.

    Attributes:
        reason: the rule broken.
        where: the place, such as "query 3: main tree".
        expected, got: what stood against what, where the rule compares two things.
    """

    def __init__(self, reason: RejectReason, where: str, expected: object = None, got: object = None) -> None:
        super().__init__(f"{reason} ({where}): expected {expected}, got {got}")
        self.reason, self.where, self.expected, self.got = reason, where, expected, got
