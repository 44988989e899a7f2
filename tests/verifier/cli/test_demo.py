"""The demo's story holds, with fewer transfers in its last part."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples import demo


def test_demo_tells_its_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SMALL", 8)
    monkeypatch.setattr(demo, "BIG", 12)
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
