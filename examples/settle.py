"""The end of `make demo`: Bitcoin judges a true proof and a false one, on Bitcoin Core's own validation code.

`python -m examples.settle` tells these two stories alone.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.telling import DemoFailed, console, heading, say
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.simulate.engine import Result, run
from verifier.bridge.simulate.lies import LIES
from verifier.bridge.simulate.stage import Record
from verifier.bridge.simulate.worlds import World, make_world
from verifier.chain.policy import fee_of

TRUE, FALSE = "02-unchallenged", "07b-minted-sats"
LIE = next(lie for lie in LIES if lie.name == "minted sats")


def settle() -> None:
    """Both stories."""
    heading("9. Bitcoin as the judge: what stands behind a peg-out")
    with TemporaryDirectory(prefix="pegproof-") as directory:
        world = prepare(Path(directory))
        nobody_objects(world)
        false_proof(world)


def prepare(directory: Path) -> World:
    """A batch, its proof, the tree of its verifier, a slot."""
    start = time.perf_counter()
    say(
        """Bitcoin cannot run a STARK verifier. So the verifier is cut into tapscripts that each re-run one piece of
        it, and the pieces hang in a tree. An operator who claims a vault with a proof puts up a stake; whoever finds
        the proof false makes it commit, branch by branch, to what the verifier computes, until one script shows a
        piece to be wrong."""
    )
    world = make_world("rollup", directory)
    graph, tree = world.setup.moves.graph, world.case.tree
    console.print(
        f"a batch of transfers and a withdrawal, proven: {world.case.proven_bits:.0f} bits, "
        f"{world.case.queries} queries; its verifier: {len(tree.nodes):,} nodes, "
        f"{sum(node.num_leaves for node in tree.nodes):,} tapscripts of at most {graph.largest_leaf_bytes:,} bytes "
        f"({time.perf_counter() - start:.0f} s)"
    )
    say(
        f"""The stake is {graph.stake_sats:,} sat. One-time keys, scripts and the signatures of the committee of five
        are made here for the nodes that the stories touch, with the bytes that a whole set-up gives them. The chain
        is Bitcoin Core's consensus library in process; each transaction also passes the rules of relay."""
    )
    return world


def nobody_objects(world: World) -> None:
    """Story one."""
    heading("   Nobody objects")
    result = _played(world, TRUE, "paid")
    for record in result.records:
        _line(record, _first_story(record))
    peg_out = sum(r.spending.tx.vbytes for r in result.records if r.name.startswith(("kickoff", "take1")))
    console.print(f"   the peg-out took {peg_out} vB on Bitcoin; no script of the verifier was shown")


def _first_story(record: Record) -> str:
    return {
        "deposit": "a user deposits; if the committee does not move, the user has it back",
        "pegin": "the committee's transaction, signed beforehand, moves it into a vault",
        "kickoff": "the operator says that it has paid a user, and claims the vault with the proof",
        "take1": "432 blocks later nobody has objected: the operator has the vault and its stake",
    }[record.name.partition("/")[0]]


def false_proof(world: World) -> None:
    """Story two."""
    heading("   A false proof")
    say(
        f"""The operator mints: {LIE.story}. Its prover hides that as well as can be: sums and openings are solved
        for, so that everything fits but the queries. A watcher who has the proof replays it, finds the step that
        fails, and opens the way to it."""
    )
    result = _played(world, FALSE, "penalised")
    graph = world.setup.moves.graph
    for record in result.records:
        if not record.name.startswith(("deposit", "pegin", "close")):
            _line(record, _second_story(record, graph))
    opened = sum(record.name.startswith("open/") for record in result.records)
    console.print(
        f"   the dispute took {result.dispute_vbytes:,} vB; {opened} of {len(graph.nodes):,} nodes were opened; "
        f"{result.max_stack} items at most on any script's stack"
    )
    say(
        """The stake is spent, and with it what every transaction that pays this operator needs: its take was sent, and
        refused (bad-txns-inputs-missingorspent). The vault waits for an operator with a true proof."""
    )


def _second_story(record: Record, graph: SlotGraph) -> str:
    kind, _, rest = record.name.partition("/")
    amounts, node = graph.terms.amounts, graph.nodes[int(rest or 0) if rest.isdigit() or not rest else 0]
    wires = sum(len(group) for group in node.wires)
    name = node.name.rpartition("/")[2]
    return {
        "kickoff": "the operator claims the vault",
        "challenge": f"the watcher objects, and pays the operator {amounts.challenge_price:,} sat for answering",
        "assert": f"the operator commits to the proof's {wires} roots and challenges with one-time keys",
        "open": f"the watcher opens '{name}', for {amounts.open_price:,} sat",
        "reveal": f"the operator commits to what the verifier has there: {wires} values",
        "disprove": (
            f"one tapscript of '{name}' runs again, and differs: {amounts.penalty:,} sat to the watchers' pot, "
            f"{record.spending.tx.outputs[1].value:,} to who disproved"
            if kind == "disprove"
            else ""
        ),
    }[kind]


def _played(world: World, name: str, wanted: str) -> Result:
    result = run(name, world)
    if not result.passed or result.outcome != wanted:
        raise DemoFailed(f"{name}: {result.outcome} {result.detail}")
    return result


def _line(record: Record, text: str) -> None:
    tx = record.spending.tx
    console.print(
        f"   {record.name.partition('/')[0]:10}{tx.vbytes:7,} vB {fee_of(record.spending):7,} sat  {text}",
        markup=False,
    )


if __name__ == "__main__":
    settle()
