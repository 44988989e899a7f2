from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import native
from tests.native import reference as ref


def test_every_tier_of_this_machine_can_be_forced(tier: str) -> None:
    assert native.tier() == tier
    assert ("tier in use", tier) in native.why()


def test_the_environment_forces_a_tier() -> None:
    for name in native.tiers():
        environment = {**os.environ, "PEGPROOF_TIER": name}
        command = [sys.executable, "-c", "import native; print(native.tier())"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == name


def test_an_unknown_tier_is_refused() -> None:
    with pytest.raises(native.KernelError) as caught:
        native.set_tier("sse9")
    assert caught.value.got == "'sse9'"


def test_fewer_than_one_thread_is_refused() -> None:
    with pytest.raises(native.KernelError):
        native.set_threads(0)


def test_a_meter_counts_what_its_own_thread_does_in_kernels(tier: str) -> None:
    x = ref.random(1, 16, 3000)
    native.poseidon2_permute(x)  # compiled, where numba serves
    with native.metered() as meter:
        start = time.thread_time()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(native.poseidon2_permute, x).result()
        assert meter.seconds == 0
        native.poseidon2_permute(x)
        assert 0 < meter.seconds <= time.thread_time() - start
        with pytest.raises(native.KernelError):
            native.add(x, x[:1])
        counted = meter.seconds
    native.poseidon2_permute(x)
    assert meter.seconds == counted


def test_kernels_called_from_many_threads_at_once(tier: str) -> None:
    x = ref.random(1, 16, 3000)
    want = native.poseidon2_permute(x)
    start = threading.Barrier(4)

    def call(_: int) -> bool:
        start.wait()
        return all(np.array_equal(native.poseidon2_permute(x), want) for _ in range(5))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_kernels_work_in_a_forked_child() -> None:
    x = ref.random(1, 16, 3000)
    want = native.poseidon2_permute(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(native.poseidon2_permute(x), want) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_are_those_asked_for_within_and_those_before_after_a_failure() -> None:
    before = native.threads()
    with pytest.raises(ZeroDivisionError), native.using_threads(before + 1):
        assert native.threads() == before + 1
        raise ZeroDivisionError
    assert native.threads() == before
    with native.using_threads(None):
        assert native.threads() == before
    with pytest.raises(native.KernelError), native.using_threads(0):
        pytest.fail("no threads")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_has_a_thread_for_each_processor_that_it_may_use():
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{one}]); import native; print(native.threads())"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "1"
