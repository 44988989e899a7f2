"""The streamed set-up makes what a plain one makes, whoever checks it checks for itself, and a kill costs a run."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests.bridge.chunks import honest, tree
from verifier.bitcoin.encoding import Reader
from verifier.bitcoin.taproot import commits, leaf_hash
from verifier.bridge.chunks.accuse import ChunkAccuser
from verifier.bridge.chunks.opening import ChunkTree
from verifier.bridge.chunks.plan import plan
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.graph import SlotGraph
from verifier.bridge.game.moves import wire_label
from verifier.bridge.game.node_scripts import NodeScripts
from verifier.bridge.game.params import Charter
from verifier.bridge.game.presign import Phase, Slot, answer_requests, parts, protect_requests
from verifier.bridge.game.store import Store
from verifier.bridge.setup.committee import Batch, Member, sign_batch
from verifier.bridge.setup.files import accuser_of, open_slot, open_store
from verifier.bridge.setup.forecast import count, graph_seconds, measure, predict
from verifier.bridge.setup.key_book import KeyBook, all_links, common_head, first_repeat, heads_of, num_links
from verifier.bridge.setup.slot_setup import SCRIPTS, SlotSetup, compile_shapes, identity, read_scripts
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.setup.workers import spread
from verifier.bridge.simulate.rehearsal import hand_out, rehearse
from verifier.bridge.simulate.setup import (
    COMMITTEE_SIZE,
    NETWORK,
    SLOT,
    SetUp,
    make_setup,
    new_members,
    script_of,
)
from verifier.bridge.simulate.trouble import Liar
from verifier.bridge.toy import ToyTree
from verifier.bridge.tree import Node, OpeningTree, Wire, runs
from verifier.script.winternitz import WinternitzKey, public_keys, public_links

MEMBERS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SetUp]:
    """A slot over a verifier's tree of 158 nodes."""
    directory = tmp_path_factory.mktemp("slot")
    return directory, make_setup(directory, tree(), size=MEMBERS, processes=2)


def all_wires(of: OpeningTree) -> list[Wire]:
    return [wire for node in of.nodes for group in node.wires for wire in group]


# The same as without streaming


def test_published_keys_are_those_of_the_seed(made: tuple[Path, SetUp]) -> None:
    book, wires = made[1].moves.graph.keys, all_wires(tree())
    keys = public_keys(made[1].seed, [(wire_label(SLOT, wire.name), wire.digits) for wire in wires])
    assert dict(book) == {wire.name: key for wire, key in zip(wires, keys, strict=True)}
    assert len(book) == len(honest())


def test_the_graph_is_that_of_scripts_held_in_memory(made: tuple[Path, SetUp]) -> None:
    graph = made[1].moves.graph
    plain = SlotGraph(graph.terms, tree(), dict(graph.keys))
    assert plain.scripts == graph.scripts
    assert plain.digest == graph.digest
    assert not graph.oversized


def test_every_leaf_is_under_its_output(made: tuple[Path, SetUp]) -> None:
    """A sample of leaves made again: each hash and control block lead to the output that Assert or Reveal makes."""
    graph, rng = made[1].moves.graph, random.Random(1)
    nodes = [node for node in graph.nodes if node.num_leaves]
    for node in rng.sample(nodes, 12):
        number = rng.randrange(node.num_leaves)
        code = graph.disprove_leaf(node.index, number)
        output = graph.coins[f"D{node.index}"].output
        assert output is not None
        assert commits(output.key, output.control_block(number), leaf_hash(code))
        assert not commits(output.key, output.control_block(number), leaf_hash(code + b"\0"))


def test_every_signature_holds_at_every_member(made: tuple[Path, SetUp]) -> None:
    setup = made[1]
    graph = setup.moves.graph
    requests = [*protect_requests(graph), *answer_requests(graph)]
    assert len(requests) > 1_000
    served = [member.store.signatures(SLOT) for member in setup.members]
    for request in requests:
        assert request.holds(graph.terms.committee, setup.moves.signatures[request.slot])
        assert all(each[request.slot] == setup.moves.signatures[request.slot] for each in served)


def test_counts_are_those_of_the_slot(made: tuple[Path, SetUp]) -> None:
    graph, found = made[1].moves.graph, count(tree())
    openings = len(tree().nodes)
    second_vault = 7
    assert found.signatures == len(made[1].moves.signatures) - openings - second_vault
    assert found.links == sum(len(key.links) for key in graph.keys.values())
    planned = plan(tree())
    assert (found.leaves, found.script_bytes) == (planned.leaves, planned.script_bytes)
    guard = 34
    assert sum(each.script_bytes for each in graph.scripts) == found.script_bytes + guard * found.leaves
    stages = predict(found, measure(tree(), MEMBERS), MEMBERS)
    assert all(seconds > 0 for seconds in stages.values())
    assert graph_seconds(tree(), MEMBERS) > 0


def test_roles_find_the_slot_in_their_directories(
    made: tuple[Path, SetUp], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, setup = made
    hand_out(directory, setup, TreeName.verifier("preset", "shape", [1, 2]))
    asked = []
    monkeypatch.setattr(TreeName, "make", lambda name: asked.append(name.ledger) or tree())
    moves, deposits = open_slot(open_store(directory / "watcher", "watcher", NETWORK))
    assert asked == [(1, 2)]
    assert (moves.graph.digest, tuple(deposits)) == (setup.moves.graph.digest, setup.deposits)
    assert moves.signatures == setup.moves.signatures
    assert isinstance(accuser_of(moves.graph), ChunkAccuser)
    node = next(node for node in moves.graph.nodes if node.num_leaves)
    assert moves.graph.disprove_leaf(node.index, 0) == setup.moves.graph.disprove_leaf(node.index, 0)


# Nobody trusts


def test_keys_that_are_not_those_of_the_graph_make_no_script(made: tuple[Path, SetUp]) -> None:
    graph = made[1].moves.graph
    node = next(node for node in graph.nodes if node.num_leaves and node.wires)
    seed = bytes(32)
    other = {
        wire.name: public_keys(seed, [(wire.name.encode(), wire.digits)])[0]
        for at in graph.ancestry(node.index)
        for group in graph.nodes[at].wires
        for wire in group
    }
    forged = copy(graph)
    forged.keys = other
    for make in (forged.disprove_leaf, forged.reveal_script):
        with pytest.raises(BridgeError) as error:
            make(node.index, 0)
        assert error.value.reason is BridgeReason.REBUILD


def test_a_member_that_makes_other_scripts_refuses(made: tuple[Path, SetUp], tmp_path: Path) -> None:
    setup = made[1]
    graph, scripts = setup.moves.graph, list(setup.moves.graph.scripts)
    at = next(node.index for node in graph.nodes if node.num_leaves)
    other = replace(scripts[at], leaves=(bytes(32), *scripts[at].leaves[1:]))
    wrong = [*scripts[:at], other, *scripts[at + 1 :]]
    member = Member(setup.members[0].store, setup.members[0].public_keys, tree(), Charter(script_of("pot")))
    member.graphs.clear()
    for shared in (graph, None):
        with pytest.raises(BridgeError) as error:
            member.adopt(setup.offer, wrong, shared)
        assert error.value.reason is BridgeReason.REBUILD
    assert not member.graphs
    assert member.adopt(setup.offer, scripts, graph) is graph


# Scenario 19 over a verifier's tree: `SlotSetup` is the class that sets up the rollup's slot


@pytest.fixture
def begun(made: tuple[Path, SetUp], tmp_path: Path) -> tuple[SlotSetup, SetUp]:
    """The same slot once more, up to the graph: members with their secrets, who have made the scripts."""
    directory, setup = made
    members = new_members(tmp_path / "committee", tree(), MEMBERS)
    scripts = Store(directory / "operator", "operator", NETWORK).metas(SCRIPTS)
    for member in members:
        member.store.put_metas(scripts)
    operator, book = Store(tmp_path / "operator", "operator", NETWORK), setup.moves.graph.keys
    assert isinstance(book, KeyBook)
    return SlotSetup(SLOT, tree(), book, operator, members), setup


def refuses(reason: BridgeReason, call: Callable[[], object]) -> str:
    with pytest.raises(BridgeError) as error:
        call()
    assert error.value.reason is reason
    return str(error.value)


def kept(parties: SlotSetup) -> set[str]:
    """Kinds of transactions of which some member has the committee's signature."""
    found = (slot for member in parties.present for slot in member.store.signatures(SLOT))
    return {slot.template.partition("/")[0] for slot in found} - {"challenge", "open"}


def test_a_member_that_is_offline_stops_every_step(begun: tuple[SlotSetup, SetUp]) -> None:
    parties, setup = begun
    graph, offer = setup.moves.graph, setup.offer
    assert offer is not None
    absent = replace(parties, members=[*parties.members[:-1], None])
    steps = (
        absent.make_scripts,
        partial(absent.adopt, offer, graph),
        partial(absent.sign, graph, Phase.PROTECT, 0.0, 1.0),
        partial(absent.sign_all, graph, setup.deposits),
    )
    for step in steps:
        assert f"members [{MEMBERS - 1}]" in refuses(BridgeReason.OFFLINE, step)
    parties.adopt(offer, graph)
    assert kept(parties) == set()
    assert all(member.name for member in parties.present)  # nobody has erased its secret


def test_a_member_that_goes_offline_in_mid_phase_comes_back_and_the_rest_is_signed(
    begun: tuple[SlotSetup, SetUp], monkeypatch: pytest.MonkeyPatch
) -> None:
    parties, setup = begun
    graph = setup.moves.graph
    assert setup.offer is not None
    parties.adopt(setup.offer, graph)
    runs_of_nodes = parts(graph, Phase.PROTECT)[:2]
    monkeypatch.setattr("verifier.bridge.setup.slot_setup.parts", lambda *_: runs_of_nodes)
    asked = []

    def answers(run: tuple[int, int]) -> None:
        asked.append(run)
        if len(asked) == 2:
            raise BridgeError(BridgeReason.OFFLINE, "members [0]")

    real = sign_batch
    monkeypatch.setattr(
        "verifier.bridge.setup.slot_setup.sign_batch",
        lambda members, batch: (answers(batch.nodes), real(members, batch))[1],
    )
    refuses(BridgeReason.OFFLINE, partial(parties.sign, graph, Phase.PROTECT, 0.0, 1.0))
    first = set(range(*runs_of_nodes[0]))
    assert [member.accepted(SLOT, Phase.PROTECT) for member in parties.present] == [first] * MEMBERS
    parties.sign(graph, Phase.PROTECT, 0.0, 1.0)
    assert asked == [runs_of_nodes[0], runs_of_nodes[1], runs_of_nodes[1]]
    assert not {"take1", "take2", "pegin"} & kept(parties)


def test_a_share_out_of_order_or_wrong_is_refused_and_nothing_is_signed(
    begun: tuple[SlotSetup, SetUp],
) -> None:
    parties, setup = begun
    graph, deposit = setup.moves.graph, setup.deposits[0]
    assert setup.offer is not None
    protect = Batch(Phase.PROTECT, SLOT, nodes=parts(graph, Phase.PROTECT)[0])
    refuses(BridgeReason.ORDER, partial(sign_batch, parties.present, protect))  # nobody has adopted the slot
    parties.adopt(setup.offer, graph)
    assert "PROTECT: node 0" in refuses(
        BridgeReason.ORDER, partial(parties.sign, graph, Phase.ANSWER, 0.0, 1.0)
    )
    pay = Batch(Phase.PAY, SLOT, deposit)
    refuses(BridgeReason.ORDER, partial(sign_batch, parties.present, pay))
    refuses(BridgeReason.ORDER, partial(parties.present[0].nonces, pay))
    refuses(BridgeReason.ORDER, partial(parties.present[0].shares, protect, []))
    lying = replace(parties, members=[*parties.members[:-1], Liar(parties.present[-1])])
    refuses(BridgeReason.SHARE, partial(lying.sign, graph, Phase.PROTECT, 0.0, 1.0))
    assert kept(parties) == set()
    sign_batch(parties.present, protect)
    refuses(BridgeReason.ORDER, partial(sign_batch, parties.present, pay))  # one part is not the phase


def test_a_link_that_serves_twice_is_found(tmp_path: Path) -> None:
    nodes = ToyTree(2).nodes
    books = [KeyBook(tmp_path / f"{name}.db", nodes) for name in ("one", "two")]
    for number, book in enumerate(books):
        book.put((node.index, _links(node, bytes([number]) * 32)) for node in nodes)
    assert common_head(*(heads_of(all_links(book)) for book in books)) is None
    last = next(node for node in reversed(nodes) if node.wires)
    links = bytearray(_links(last, bytes([1]) * 32))
    links[40:60] = link = next(iter(books[0].values())).links[0]
    books[1].put([(last.index, bytes(links))])
    one, other = (all_links(book) for book in books)
    assert one == all_links(dict(books[0]))
    assert first_repeat(one) is first_repeat(other) is None
    assert first_repeat(one + other) == link
    for pair in ((one, other), (other, one)):
        assert common_head(*map(heads_of, pair)) == link[:8]
    assert common_head(heads_of(one), b"") is common_head(b"", heads_of(one)) is None


def _links(node: Node, seed: bytes) -> bytes:
    wires = [wire for group in node.wires for wire in group]
    return public_links(seed, [(wire.name.encode(), wire.digits) for wire in wires])


def test_a_book_with_a_page_missing_says_so(tmp_path: Path) -> None:
    nodes = ToyTree(2).nodes
    book = KeyBook(tmp_path / "keys.db", nodes)
    home = next(node for node in nodes if node.wires)
    for rows in ([], [(home.index, b"\0" * 20)]):
        book.put(rows)
        with pytest.raises(BridgeError) as error:
            book[home.wires[0][0].name]
        assert error.value.reason is BridgeReason.STATE


def parties(directory: Path) -> SlotSetup:
    nodes = ToyTree(2).nodes
    store = Store(directory / "operator", "operator", NETWORK)
    return SlotSetup(SLOT, ToyTree(2), KeyBook(directory / "keys.db", nodes), store, ())


def test_keys_that_somebody_has_put_in_place_of_the_operators_stop_it(tmp_path: Path) -> None:
    """It could not answer with them; a set-up that goes on after a kill looks at what is there."""
    made = parties(tmp_path)
    made.make_keys(b"\1" * 32)
    parties(tmp_path).make_keys(b"\1" * 32)
    home = next(node for node in reversed(made.nodes) if node.wires)
    made.book.put([(home.index, bytes(20 * num_links(home)))])
    with pytest.raises(BridgeError) as error:
        parties(tmp_path).make_keys(b"\1" * 32)
    assert error.value.reason is BridgeReason.STATE


@pytest.mark.parametrize(
    "name",
    [
        *("reveal/4", "close/2", "assert", "take1/vault 1", "take2/vault 0", "pegin/vault 1"),
        *("disprove/6", "open_timeout/3", "assert_timeout"),
    ],
)
def test_nobody_starts_with_signatures_that_do_not_hold(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who serves them may be false: an operator would lose its stake, a watcher would have no penalty."""
    plain = Store.signatures

    def serve(store: Store, slot: str) -> dict[Slot, bytes]:
        made = plain(store, slot)
        return {at: bytes(64) if at.template == name else raw for at, raw in made.items()}

    monkeypatch.setattr(Store, "signatures", serve)
    with pytest.raises(BridgeError) as error:
        make_setup(tmp_path, ToyTree(2), size=2)
    assert error.value.reason is BridgeReason.SIGNATURE
    operator = Store(tmp_path / "operator", "operator", NETWORK)
    assert plain(operator, SLOT) == {}


def test_scripts_of_a_slot_whose_name_begins_alike_are_not_read(tmp_path: Path) -> None:
    store, slots = Store(tmp_path, "operator", NETWORK), (SLOT, f"{SLOT} ", f"{SLOT} 0-1")
    data = {slot: NodeScripts((), (bytes([i]) * 32,), 1, 1) for i, slot in enumerate(slots)}
    for slot, scripts in data.items():
        store.put_meta(f"{SCRIPTS} {slot} 000000-000001", scripts.serialize())
    for slot, scripts in data.items():
        assert read_scripts(store, slot, 1) == [scripts]
    with pytest.raises(BridgeError) as error:
        read_scripts(store, SLOT, 2)
    assert error.value.reason is BridgeReason.STATE


def test_a_set_up_is_of_one_tree_with_its_leaves_and_of_one_committee(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What set-up knows of the statement is in the leaves alone: nodes are the same for every ledger."""
    made = [identity(ToyTree(2), b"a"), identity(ToyTree(4), b"a"), identity(ToyTree(2), b"b")]
    tree().shape(next(leaf for leaves in tree().leaves for leaf in leaves))
    made.append(identity(tree(), b"a"))
    shapes = tree().compiled()
    other = [replace(shapes[0], code=shapes[0].code + b"\0"), *shapes[1:]]
    monkeypatch.setattr(tree(), "compiled", lambda: other)
    made.append(identity(tree(), b"a"))
    assert len(set(made)) == len(made)


@dataclass(frozen=True)
class WideTree:
    """A node with 39 wires of 128 digits below the root: its Reveal is above 400,000 weight units."""

    nodes: tuple[Node, ...] = (
        Node(0, "root", -1, (1,), ((Wire("a", 8),),), 0),
        Node(
            *(1, "root/wide", 0, ()),
            tuple(tuple(Wire(f"w{3 * group + i}", 128) for i in range(3)) for group in range(13)),
            0,
        ),
    )

    def leaf(self, node: int, number: int, keys: Mapping[str, WinternitzKey]) -> bytes:
        raise AssertionError("no leaves")


def test_a_node_too_large_to_be_revealed_is_flagged_or_refused(tmp_path: Path) -> None:
    with pytest.raises(BridgeError) as error:
        make_setup(tmp_path / "refused", WideTree(), size=2)
    assert error.value.reason is BridgeReason.SHAPE
    setup = make_setup(tmp_path / "flagged", WideTree(), size=2, allow_oversized=True)
    assert list(setup.moves.graph.oversized) == ["reveal/1"]
    assert setup.moves.graph.oversized["reveal/1"] == setup.moves.graph.reveal(1).max_weight > 400_000


# Storage and work


@pytest.mark.parametrize("role, network", [("watcher", NETWORK), ("operator", "signet")])
def test_a_file_is_of_one_role_and_network(role: str, network: str, tmp_path: Path) -> None:
    made = Store(tmp_path / "own", "operator", NETWORK)
    with pytest.raises(BridgeError) as error:
        Store(tmp_path / "own", role, network)
    assert error.value.reason is BridgeReason.STATE
    assert made.directory.stat().st_mode & 0o777 == 0o700, "secrets are nobody else's to read"


def test_scripts_are_read_as_they_were_written(made: tuple[Path, SetUp]) -> None:
    scripts = list(made[1].moves.graph.scripts)
    reader = Reader(b"".join(each.serialize() for each in scripts))
    assert [NodeScripts.read(reader) for _ in scripts] == scripts
    reader.finish()


def test_runs_cover_every_number_once() -> None:
    rng = random.Random(2)
    for weights in ([], [5], [rng.randrange(20) for _ in range(200)]):
        cut = runs(weights, 30)
        assert [number for run in cut for number in range(*run)] == list(range(len(weights)))
        assert all(sum(weights[slice(*run)]) <= 30 or run[1] - run[0] == 1 for run in cut)


def test_parts_of_a_phase_are_the_phase(made: tuple[Path, SetUp]) -> None:
    graph = made[1].moves.graph
    for phase, requests in ((Phase.PROTECT, protect_requests), (Phase.ANSWER, answer_requests)):
        cut = parts(graph, phase)
        together = [each for run in cut for each in requests(graph, graph.nodes[slice(*run)])]
        assert together == list(requests(graph))
        assert phase is Phase.ANSWER or len(cut) > 1


def test_workers_give_results_and_errors_back() -> None:
    assert sorted(spread(range(20), lambda n: n * n, 2)) == [(n, n * n) for n in range(20)]

    def refuse(number: int) -> int:
        raise BridgeError(BridgeReason.SHARE, f"member {number}")

    with pytest.raises(BridgeError) as error:
        list(spread(range(4), refuse, 2))
    assert error.value.reason is BridgeReason.SHARE
    assert "member" in str(error.value)


def test_shapes_compiled_by_workers_are_the_same() -> None:
    alone = ChunkTree(tree().program)
    compile_shapes(alone, processes=2)
    assert not alone.uncompiled()
    here = [tree().shape(leaf).code for leaf in ChunkTree(tree().program).uncompiled()]
    assert [shape.code for shape in alone.compiled()] == here


# Kills

SETTING_UP = """
import sys
from pathlib import Path
from verifier.bridge.game import presign
from verifier.bridge.setup import slot_setup
from verifier.bridge.setup.tree_name import TreeName
from verifier.bridge.simulate.rehearsal import hand_out, rehearse
slot_setup.LINKS_A_RUN, slot_setup.LEAVES_A_RUN, presign.PART_SIGNATURES = 400, 3, 8
report = lambda step, share: print(step, share, flush=True)
rehearse(Path(sys.argv[1]), TreeName.toy(4), report, processes=2)
print("done", flush=True)
"""


def killed(directory: Path, stage: str, reports: int) -> bool:
    """Sets up until a stage has reported so often, then kills; whether it was done before."""
    command = [sys.executable, "-c", SETTING_UP, str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    line = ""
    while reports and line != "done\n":
        line = process.stdout.readline()
        assert line, process.stderr.read()
        reports -= line.startswith(stage)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return line != "done\n"


def test_kill_9_in_every_stage_costs_a_run_at_most(tmp_path: Path) -> None:
    rng = random.Random(5)
    assert killed(tmp_path / "bridge", "keys", rng.randrange(1, 5))
    for _ in range(2):
        assert killed(tmp_path / "bridge", "scripts", rng.randrange(2, 20))
    assert killed(tmp_path / "bridge", "signatures, protect", rng.randrange(1, 6))
    assert killed(tmp_path / "bridge", "signatures, answer", 1)
    assert not killed(tmp_path / "bridge", "never", 1)
    store = open_store(tmp_path / "bridge" / "watcher", "watcher", NETWORK)
    moves, deposits = open_slot(store)
    calm = make_setup(tmp_path / "calm", ToyTree(4), processes=2)
    assert moves.graph.digest == calm.moves.graph.digest
    assert dict(moves.graph.keys) == dict(calm.moves.graph.keys)
    assert moves.signatures.keys() == calm.moves.signatures.keys()
    assert len(deposits) == 2
    for number in range(COMMITTEE_SIZE):
        member = Store(tmp_path / "bridge" / "committee" / f"member {number}", "committee", NETWORK)
        assert member.meta("committee secret") is None
        served = member.signatures(SLOT)
        for request in (*protect_requests(moves.graph), *answer_requests(moves.graph)):
            assert request.holds(moves.graph.terms.committee, served[request.slot])
    with pytest.raises(BridgeError) as error:
        rehearse(tmp_path / "bridge", TreeName.toy(4))
    assert error.value.reason is BridgeReason.STATE


def test_a_set_up_does_not_go_on_with_another_tree(tmp_path: Path) -> None:
    assert killed(tmp_path / "bridge", "keys", 2)
    with pytest.raises(BridgeError) as error:
        rehearse(tmp_path / "bridge", TreeName.toy(6))
    assert error.value.reason is BridgeReason.STATE
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter").write_text("not a set-up")
    with pytest.raises(BridgeError) as error:
        rehearse(tmp_path / "other", TreeName.toy(6))
    assert error.value.reason is BridgeReason.STATE
