"""Every test that takes `tier` runs once for each tier of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import native


@pytest.fixture(params=native.tiers())
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    before = native.tier()
    native.set_tier(request.param)
    yield request.param
    native.set_tier(before)


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = native.threads()
    native.set_threads(request.param)
    yield request.param
    native.set_threads(before)
