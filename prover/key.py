"""The verifying key: what a verifier knows before it sees a proof. Computed once; loads without numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from prover.air.air import AirSystem
from prover.air.digest import system_digest
from prover.hashing import to_bytes, to_words
from prover.layout import Layout, TreeName
from prover.params import ParamsError, ProofParams
from prover.security import Report, StatementLine, security
from prover.shape import Shape, ShapeError

_MAGIC = b"PEGV"
_VERSION = 1


class KeyFormatError(ValueError):
    """A verifying key's bytes are malformed or belong to another system."""


@dataclass(frozen=True)
class VerifyingKey:
    """A system at a shape under parameters.

    Attributes:
        system: the tables.
        shape: their heights.
        params: proof parameters.
        preprocessed_root: 32 bytes; empty where no table has preprocessed columns.
    """

    system: AirSystem
    shape: Shape
    params: ProofParams
    preprocessed_root: bytes

    def __post_init__(self) -> None:
        expected = 32 if self.layout.tree(TreeName.PREPROCESSED) else 0
        if len(self.preprocessed_root) != expected:
            raise KeyFormatError(f"{len(self.preprocessed_root)} bytes of preprocessed root, not {expected}")

    @cached_property
    def layout(self) -> Layout:
        """Column numbers, trees, proof layout."""
        return Layout(self.system, self.shape, self.params)

    @cached_property
    def digest(self) -> bytes:
        """The AIR digest."""
        return system_digest(self.system)

    def security(self, statement: StatementLine | None = None) -> Report:
        """Proven bits, term by term."""
        return security(self.params, self.layout.figures, statement)

    def encode(self) -> bytes:
        """Magic, version, parameters, AIR digest, preprocessed root, shape."""
        return b"".join(
            (
                _MAGIC,
                to_bytes([_VERSION]),
                self.params.encode(),
                self.digest,
                self.preprocessed_root,
                self.shape.encode(),
            )
        )

    @classmethod
    def decode(cls, data: bytes, system: AirSystem) -> VerifyingKey:
        """Inverse of `encode`, for a system that this code defines.

        The preprocessed root (so the program of a ROM) is taken from the bytes: a key from elsewhere is worth
        what its source is. `prover.commit.setup` computes it from the system alone.

        Raises:
            KeyFormatError: malformed, or made for a system with other constraints.
        """
        root_length = 32 if any(air.Fixed.width for air in system.airs) else 0
        cuts = [0, 4, 4, ProofParams.encoded_length(), 32, root_length, 4 + 4 * len(system.airs)]
        if len(data) != sum(cuts):
            raise KeyFormatError(f"{len(data)} bytes, not {sum(cuts)}")
        ends = [sum(cuts[: i + 1]) for i in range(len(cuts))]
        magic, version, params, digest_, root, shape = (data[a:b] for a, b in pairwise(ends))
        if magic != _MAGIC or list(to_words(version)) != [_VERSION]:
            raise KeyFormatError("not a verifying key of this version")
        if digest_ != system_digest(system):
            raise KeyFormatError("the key belongs to a system with other constraints")
        number, *logs = to_words(shape)
        if number != len(system.airs):
            raise KeyFormatError(f"{number} tables, not {len(system.airs)}")
        names = (air.name for air in system.airs)
        try:
            return cls(system, Shape(tuple(zip(names, logs, strict=True))), ProofParams.decode(params), root)
        except (ShapeError, ParamsError) as error:
            raise KeyFormatError(str(error)) from error
