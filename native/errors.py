"""What the kernels refuse."""

from __future__ import annotations


class KernelError(ValueError):
    """An argument that a kernel does not take, or memory that it did not get.

    Attributes:
        where: the kernel and the argument.
        expected: what is taken.
        got: what came.
    """

    def __init__(self, where: str, expected: str, got: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.where = where
        self.expected = expected
        self.got = got
