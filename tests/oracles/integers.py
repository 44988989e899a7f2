"""F_p on plain integers, as `prover.air.graph.evaluate` takes it."""

from prover.field import P


class IntegerRing:
    """F_p on plain integers."""

    def constant(self, value: int) -> int:
        """An integer in [0, p)."""
        return value

    def add(self, a: int, b: int) -> int:
        """A + b."""
        return (a + b) % P

    def sub(self, a: int, b: int) -> int:
        """A - b."""
        return (a - b) % P

    def mul(self, a: int, b: int) -> int:
        """A * b."""
        return a * b % P

    def scale(self, a: int, value: int) -> int:
        """A times a constant."""
        return a * value % P
