"""What `simulate --export` writes, read by a real node at its start: the same chain, judged once more."""

import time
from pathlib import Path

import pytest

from tests.real_node import needs_program, started
from verifier.bridge.simulate.cases import ToyCase
from verifier.bridge.simulate.engine import Result, run
from verifier.bridge.simulate.setup import make_setup
from verifier.bridge.simulate.worlds import World, make_world
from verifier.chain.bitcoind import Bitcoind
from verifier.chain.block import Block
from verifier.chain.block_log import BlockLog, export_blocks

SECONDS = 60


def exported(name: str, world: World, directory: Path) -> tuple[Result, list[Block]]:
    result = run(name, world, export=directory)
    assert result.passed, result.detail
    with BlockLog(directory / name / "blk00000.dat") as log:
        return result, [Block.parse(raw) for raw in log.replay()]


def settled(node: Bitcoind, height: int) -> int:
    """The height that a node has come to, once it has read its file, or stays at."""
    end, before = time.monotonic() + SECONDS, -1
    while before != (here := node.tip.height) and here < height and time.monotonic() < end:
        before = here
        time.sleep(2)
    return here


def replays(result: Result, blocks: list[Block], file: Path) -> None:
    with started(f"-loadblock={file}") as address:
        node = Bitcoind(address)
        assert settled(node, len(blocks) - 1) == len(blocks) - 1
        assert node.tip.hash == blocks[-1].hash
        for record in result.records:
            assert node.confirmations(record.spending.tx.txid)


@needs_program
def test_a_node_ends_at_the_tip_of_an_export(tmp_path: Path) -> None:
    case = ToyCase()
    world = World("toy", case, make_setup(tmp_path, case.tree))
    result, blocks = exported("07-false-proof", world, tmp_path)
    replays(result, blocks, tmp_path / "07-false-proof" / "blk00000.dat")
    tx = blocks[-1].transactions[1]
    forged = tx.with_witness(1, (b"\1", *tx.inputs[1].witness[1:]))
    wrong = blocks[-1].serialize().replace(tx.serialize(), forged.serialize())
    path = export_blocks([*(block.serialize() for block in blocks[:-1]), wrong], tmp_path / "wrong")
    with started(f"-loadblock={path}") as address:
        assert settled(Bitcoind(address), len(blocks) - 1) == len(blocks) - 2


@needs_program
@pytest.mark.slow
def test_a_node_ends_at_the_tip_of_a_game_over_the_rollups_proof(tmp_path: Path) -> None:
    result, blocks = exported("07b-minted-sats", make_world("rollup", tmp_path), tmp_path)
    replays(result, blocks, tmp_path / "07b-minted-sats" / "blk00000.dat")
