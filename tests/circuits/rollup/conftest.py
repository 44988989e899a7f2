"""Ledgers and batches for the rollup's tests; signatures are stand-ins where `valid` is given to `apply`."""

import importlib
from types import ModuleType

import pytest

from circuits.rollup import hashing
from tests.circuits.xmss import numpy_kernels


def kernels() -> ModuleType:
    """The native kernels, or numpy's where they are missing."""
    try:
        native = importlib.import_module("native")
    except ImportError:
        return numpy_kernels
    return native if hasattr(native, "xmss_chains") else numpy_kernels


@pytest.fixture(autouse=True, scope="session")
def fast_hashing():
    """Without the native kernels, hash with numpy."""
    if kernels() is numpy_kernels:
        patch = pytest.MonkeyPatch()
        patch.setattr(hashing, "_kernel", lambda: numpy_kernels.poseidon2_compress)
        yield
        patch.undo()
    else:
        yield
