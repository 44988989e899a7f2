"""What an operator publishes with its proof, as a file: the statement that it claims a vault with, signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from verifier.bitcoin.encoding import DecodeError, Reader
from verifier.bitcoin.transaction import serialize_stack
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.claims import Statement

T = TypeVar("T")

FORMAT: Final = "pegproof announcement 1"
MAX_BYTES: Final = 1 << 18
"""No announcement is longer; more is not read."""
TXID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Payout:
    """What an operator has paid to a user, and will ask a vault for.

    Attributes:
        withdrawal: which one.
        txid: of the payout.
    """

    withdrawal: int
    txid: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an operator claims.

    Attributes:
        slot: whose vault.
        statement: what its proof says.
        signature: the one-time signature of the statement's claim, which the root commits as well.
        payouts: that the claim stands for.
    """

    slot: str
    statement: Statement
    signature: tuple[bytes, ...]
    payouts: tuple[Payout, ...] = ()

    def encode(self) -> bytes:
        """A file."""
        data = {
            "format": FORMAT,
            "slot": self.slot,
            "statement": list(self.statement),
            "signature": serialize_stack(self.signature).hex(),
            "payouts": [{"withdrawal": each.withdrawal, "txid": each.txid.hex()} for each in self.payouts],
        }
        return json.dumps(data).encode()

    @classmethod
    def decode(cls, data: bytes) -> Announcement:
        """Inverse of `encode`; what is signed is not looked at.

        Raises:
            BridgeError: MESSAGE where it cannot be read.
        """
        if len(data) > MAX_BYTES:
            raise BridgeError(BridgeReason.MESSAGE, f"an announcement has at most {MAX_BYTES} bytes")
        try:
            read = json.loads(data)
            if _typed(read, dict).get("format") != FORMAT:
                raise ValueError(f"no {FORMAT}")
            return cls(
                _typed(read["slot"], str),
                tuple(_typed(value, int) for value in _typed(read["statement"], list)),
                _stack(bytes.fromhex(_typed(read["signature"], str))),
                tuple(_payout(each) for each in _typed(read["payouts"], list)),
            )
        except (ValueError, KeyError, RecursionError, DecodeError) as error:
            raise BridgeError(BridgeReason.MESSAGE, f"no announcement: {error!r}") from error


def _typed(value: Any, wanted: type[T]) -> T:
    """A value of exactly this type: true is no integer."""
    if type(value) is not wanted:
        raise ValueError(f"{wanted.__name__} is needed, not {type(value).__name__}")
    return value


def _stack(data: bytes) -> tuple[bytes, ...]:
    reader = Reader(data)
    items = tuple(reader.var_bytes() for _ in range(reader.size()))
    reader.finish()
    return items


def _payout(value: Any) -> Payout:
    txid = bytes.fromhex(_typed(_typed(value, dict)["txid"], str))
    withdrawal = _typed(value["withdrawal"], int)
    if len(txid) != TXID_BYTES or not 0 <= withdrawal < 1 << 64:
        raise ValueError("no payout")
    return Payout(withdrawal, txid)
