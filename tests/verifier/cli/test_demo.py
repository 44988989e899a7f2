"""The demo's story holds, with fewer transfers in its eighth part; the last part, Bitcoin's, by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples import demo, settle


def test_demo_tells_its_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SMALL", 8)
    monkeypatch.setattr(demo, "BIG", 12)
    monkeypatch.setattr(demo, "settle", lambda: None)
    demo.main()
    told = capsys.readouterr().out
    for part in (
        "accepted: True",
        "refused (exit code 1)",
        "signature is not valid",
        "add.sum[0]",
        "LOOKUP_SUM",
        "'values': [1, 12, 16]",
        "Done in",
    ):
        assert part in told


@pytest.mark.slow
def test_bitcoin_pays_the_one_and_convicts_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    settle.settle()
    told = capsys.readouterr().out
    for part in (
        "128 bits, 110 queries",
        "the operator has the vault and its stake",
        "'final polynomial' runs again, and differs",
        "12,000,000 sat to the watchers' pot",
        "bad-txns-inputs-missingorspent",
    ):
        assert part in told
    assert re.search(r"; 3 of [0-9,]+ nodes were opened", told)
