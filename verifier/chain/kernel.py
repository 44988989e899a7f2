"""Bitcoin Core's own verdict on a spend, through `py-bitcoinkernel`.

The binding aborts the process on an index out of range, unknown flags or a wrong number of spent outputs, and
takes a second for 4 MB given as `bytes`: all is validated before it goes over, and goes over as a buffer.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pbk.script import PrecomputedTransactionData, ScriptPubkey, ScriptVerificationFlags
from pbk.transaction import Transaction, TransactionOutput

from verifier.bitcoin.sighash import Spending


def buffer(kind: Any, data: bytes) -> Any:
    """A kernel object of serialised bytes.

    Raises:
        ValueError: the kernel cannot read them.
    """
    array = (ctypes.c_ubyte * len(data)).from_buffer_copy(data)
    pointer = kind._create_fn(array, len(data))
    if not pointer:
        raise ValueError(f"the kernel cannot read this {kind.__name__}")
    return kind._from_handle(pointer)


class KernelSpending:
    """A transaction and its spent outputs inside the kernel; inputs are judged one by one.

    Args:
        spending: the same in Python.

    Raises:
        ValueError: no input, or bytes that the kernel refuses to read.
    """

    def __init__(self, spending: Spending) -> None:
        if not spending.tx.inputs:
            raise ValueError("a transaction without inputs")
        self._count = len(spending.tx.inputs)
        self._tx = buffer(Transaction, spending.tx.serialize())
        if len(self._tx.inputs) != self._count:
            raise ValueError("the kernel reads another number of inputs")
        self._outputs = [
            TransactionOutput(buffer(ScriptPubkey, out.script), out.value) for out in spending.spent
        ]
        self._data = PrecomputedTransactionData(self._tx, self._outputs)

    def accepts(self, index: int) -> bool:
        """Whether input `index` is valid under all consensus rules of today.

        Raises:
            ValueError: no such input.
        """
        if not 0 <= index < self._count:
            raise ValueError(f"input {index} of {self._count}")
        output = self._outputs[index]
        flags = ScriptVerificationFlags.ALL
        return bool(output.script_pubkey.verify(output.amount, self._tx, self._data, index, flags))


def kernel_accepts(spending: Spending, index: int = 0) -> bool:
    """Whether Bitcoin Core accepts an input; see `KernelSpending.accepts`."""
    return KernelSpending(spending).accepts(index)
