"""The log of raw blocks: torn tails, damage, and a process killed while it appends."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chain.coins import funded
from verifier.chain.block import Block
from verifier.chain.block_log import BlockLog, CorruptLog, record
from verifier.chain.chain import ChainError
from verifier.chain.node import EmbeddedNode

BLOCKS = [bytes([i]) * (50 + i) for i in range(4)]


def written(path: Path) -> bytes:
    with BlockLog(path) as log:
        for raw in BLOCKS:
            log.append(raw)
        log.sync()
    return path.read_bytes()


def test_a_log_cut_anywhere_gives_the_blocks_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "blocks.dat"
    whole = written(path)
    ends = [sum(len(record(raw)) for raw in BLOCKS[:i]) for i in range(5)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = max(i for i in range(5) if ends[i] <= cut)
        with BlockLog(path) as log:
            assert list(log.replay()) == BLOCKS[:kept]
            log.append(b"next")
            assert list(log.replay()) == [*BLOCKS[:kept], b"next"]


def test_damage_is_not_taken_for_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "blocks.dat"
    whole = written(path)
    second = len(record(BLOCKS[0]))
    for damaged in (
        whole[:second] + b"\0" + whole[second + 1 :],
        whole + b"\0\0",
        b"not a log",
    ):
        path.write_bytes(damaged)
        with BlockLog(path) as log, pytest.raises(CorruptLog):
            list(log.replay())
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("at", (40, 85, 90, 150, -1))
def test_a_flipped_bit_under_the_merkle_root_is_found_by_the_kernel(tmp_path: Path, at: int) -> None:
    with funded(1, tmp_path) as node:
        (block,) = node.mine()
    path = tmp_path / "blocks.dat"
    data = bytearray(path.read_bytes())
    start = len(data) - len(block.serialize())
    data[start + at if at >= 0 else -1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ChainError):
        EmbeddedNode(tmp_path)


def test_a_damaged_mempool_is_said(tmp_path: Path) -> None:
    with funded(1, tmp_path):
        pass
    (tmp_path / "mempool.dat").write_bytes(bytes(40))
    with pytest.raises(CorruptLog, match="mempool"):
        EmbeddedNode(tmp_path)


MINER = """
import sys
from pathlib import Path
from verifier.chain.node import EmbeddedNode
node = EmbeddedNode(Path(sys.argv[1]))
while True:
    (block,) = node.mine()
    print(node.tip.height, block.hash_hex, flush=True)
"""


@pytest.mark.slow
def test_a_node_killed_at_fifty_moments_loses_no_block_that_it_reported(tmp_path: Path) -> None:
    """One directory through all fifty deaths; half of them also tear the last record."""
    rng = random.Random(50)
    path = tmp_path / "blocks.dat"
    for moment in range(50):
        process = subprocess.Popen(
            [sys.executable, "-c", MINER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        reported = [process.stdout.readline()]
        time.sleep(rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        reported += process.stdout.readlines()
        process.wait()
        lines = [line.split() for line in reported if line.endswith("\n")]
        if moment % 2:
            with BlockLog(path) as log:
                last = list(log.replay())[-1]
            path.write_bytes(path.read_bytes() + record(last)[: rng.randrange(1, len(record(last)))])
        with EmbeddedNode(tmp_path) as node:
            assert lines
            for height, name in lines:
                assert node.block(int(height)).hash_hex == name
            node.mine()
            assert node.block(node.tip.height).previous == node.block(node.tip.height - 1).hash


def test_blocks_read_back_as_they_were_written() -> None:
    with funded(1) as node:
        for height in (0, 1, 50):
            block = node.block(height)
            assert Block.parse(block.serialize()) == block
