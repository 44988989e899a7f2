"""The asserted proof is another than the watcher has, or it has none: what it opens, what it pays, whom it convicts."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from random import Random

import pytest

from prover.hashing import Context, digest
from prover.layout import NONCE_WORDS
from prover.proof import Proof
from prover.prove import _Prover
from tests import small_system
from tests.bridge.chunks import PARAMS, corrupted, honest, replay, tree
from tests.bridge.test_bisect import Slip
from tests.proofs import decoded, public_values, rejection, small_key
from verifier.bridge.chunks.accuse import accuse
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import MAIN
from verifier.bridge.game.bisect import Bisection
from verifier.bridge.game.plans import Plan, by_lot, ways_to, whole
from verifier.bridge.game.search import Search, investigate
from verifier.bridge.simulate.cases import Patched
from verifier.bridge.tree import Digits, Execution, ancestry, depth, is_query, query_openings, values_of

DEPTH = depth(tree().nodes)
ALL = 4
"""Queries of the small system."""


@dataclass(frozen=True)
class Game:
    """How it went.

    Attributes:
        convicted: whether a leaf of a revealed node does.
        openings: how many were paid.
        rounds: of reveals that followed each other.
    """

    convicted: bool
    openings: int
    rounds: int


def play(plan: Plan, operator: Execution, late: bool) -> Game:
    """A game in which the operator reveals all that is opened; late, so that nothing waits for an answer."""
    revealed, fresh, openings, rounds = [0], [0], 0, 0
    committed: dict[str, Digits] = {}
    while True:
        for node in fresh:
            committed |= values_of(tree().nodes[node], operator)
        if any(convicts(node, committed) for node in fresh):
            return Game(True, openings, rounds)
        now, later = plan(revealed, committed)
        fresh = list(dict.fromkeys((*now, *later))) if late else now
        if not fresh:
            return Game(False, openings, rounds)
        assert not set(fresh) & set(revealed)
        assert all(tree().nodes[node].parent in revealed for node in fresh)
        revealed, openings, rounds = sorted((*revealed, *fresh)), openings + len(fresh), rounds + 1


def convicts(node: int, committed: Mapping[str, Digits]) -> bool:
    return any(
        accuse(tree(), leaf, {name: committed[name] for name in tree().wire_names(leaf)}) is not None
        for leaf in tree().leaves[node]
    )


@cache
def index() -> Bisection:
    return Bisection(tree(), replay())


def plans(lot: bytes, queries: int, published: Replay | None = None) -> list[tuple[Search, Plan]]:
    """Of a watcher with a proof, and of one without."""
    search = Search(tree(), lot, queries, index())
    return [(search, investigate(search, index().of(published or replay()))), (search, investigate(search))]


def changed(place: int, bit: int = 0) -> Replay:
    words = array("I", decoded(PARAMS).words)
    words[place] ^= 1 << bit
    return Replay(tree(), words, public_values())


HEAD = small_key(PARAMS).verifying_key.layout.head_words


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_main_program_that_is_false_is_convicted_whatever_the_lot(seed: int, late: bool) -> None:
    """A word of the head is another, all that follows is computed from it, and not one query is opened."""
    rng = Random(seed)
    operator = changed(rng.randrange(HEAD), rng.randrange(30))
    assert operator.main_faults
    for search, plan in plans(b"lot", 0):
        game = play(plan, operator, late)
        assert game.convicted
        assert game.openings <= search.openings
        assert game.rounds <= DEPTH or not late


@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_step_of_another_proof_is_convicted(seed: int) -> None:
    """No check fails: one step's result is wrong, and everything after it follows from it."""
    rng, words = Random(50 + seed), another_true_proof().words
    steps = replay().lowered.blocks[0]
    for _ in range(50):
        operator = Slip(words, MAIN, rng.choice([i for i, step in enumerate(steps) if step.out]))
        if operator.values(0) != Replay(tree(), words, public_values()).values(0):
            break
    else:
        raise AssertionError("no slip shows in the root")
    for search, plan in plans(b"lot", 0):
        game = play(plan, operator, late=True)
        assert game.convicted
        assert game.openings <= search.openings
        assert game.rounds <= DEPTH


@pytest.mark.parametrize("deep", [True, False])
def test_what_is_deep_is_opened_with_the_cover_as_t3_has_no_time_for_it_afterwards(
    deep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This step lies so deep that the way from the cover alone takes more reveals than the tree is deep."""
    if not deep:
        bare = property(lambda search: ways_to(search.tree.nodes, search._cover))
        monkeypatch.setattr(Search, "_main_part", bare)
    operator = Slip(another_true_proof().words, MAIN, 145)
    plan = plans(b"lot", 0)[1][1]
    game = play(lambda revealed, committed: (plan(revealed, committed)[0], []), operator, late=True)
    assert game.convicted
    assert (game.rounds <= DEPTH) == deep


def play_slowly(plan: Plan, operator: Execution) -> bool:
    """Whether a leaf convicts an operator who closes, at each step, what is not opened, and then reveals the rest.

    It has from `close` to `reveal_timeout` for that, whatever the node.
    """
    nodes, revealed, fresh = tree().nodes, [0], [0]
    closed: set[int] = set()
    committed: dict[str, Digits] = {}
    while fresh:
        for node in fresh:
            committed |= values_of(nodes[node], operator)
        if any(convicts(node, committed) for node in fresh):
            return True
        now, later = plan(revealed, committed)
        wanted = {*now, *later} - closed
        closed |= {child for node in fresh for child in nodes[node].children} - wanted
        fresh = sorted(wanted)
        revealed = sorted((*revealed, *fresh))
    return False


@pytest.mark.parametrize("step", [400, 411, 477])
@pytest.mark.parametrize("undecided", [True, False])
def test_an_operator_who_closes_while_it_shows_the_data_slowly_is_convicted(
    step: int, undecided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to the fault leaves the cover at a node that is closed before the last of the cover is shown."""
    if not undecided:
        monkeypatch.setattr(Search, "undecided", lambda search, revealed: [])
    operator = Slip(another_true_proof().words, MAIN, step)
    for _, plan in plans(b"lot", 0):
        assert play_slowly(plan, operator) == undecided


@pytest.mark.parametrize("query", range(ALL))
def test_a_false_query_is_convicted_by_whoever_draws_it(query: int) -> None:
    """The published proof is true, the asserted one is another whose query is false."""
    words = array("I", another_true_proof().words)
    base = Replay(tree(), words, public_values())
    words[next(place for place in reversed(range(len(words))) if base.query_of(place) == query)] ^= 1
    operator = Replay(tree(), words, public_values())
    assert not operator.main_faults and {at for at, _ in operator.faults} == {query}
    verdicts = set()
    for lot in range(12):
        drawn = any(
            tree().nodes[at].name.endswith(f"/query {query}") for at in by_lot(tree().nodes, bytes([lot]), 2)
        )
        verdicts.add(drawn)
        for search, plan in plans(bytes([lot]), 2):
            game = play(plan, operator, late=True)
            assert game.convicted == drawn
            assert game.openings <= search.openings
            assert game.rounds <= DEPTH
    assert verdicts == {False, True}


class OtherNonce(_Prover):
    """Proves with the second nonce that does the work before batching: all that follows is another."""

    def _grind(self, bits: int, label: str) -> None:
        if label != "batching nonce":
            super()._grind(bits, label)
            return
        state = self.transcript.state

        def works(nonce: int) -> bool:
            found = digest(Context.GRIND, state + nonce.to_bytes(8, "little"))
            return int.from_bytes(found[:4], "little") % (1 << bits) == 0

        good = filter(works, count())
        next(good)
        nonce = next(good)
        words = [nonce & 0xFFFFFFFF, nonce >> 32]
        self._write(words[:NONCE_WORDS])
        self.transcript.absorb_words(label, words)

    def proof(self) -> Proof:
        """All nine steps."""
        for step in (
            *(self.bind_statement, self.commit_main, self.commit_interaction, self.commit_quotient),
            *(self.open_columns, self.batch, self.commit_fri, self.grind_queries),
        ):
            step()
        return Proof(self.layout, self.public_values, self.open_queries())


@cache
def another_true_proof() -> Proof:
    tables, public = small_system.make_tables()
    proof = OtherNonce(small_key(PARAMS), tables, public, None, None, consume=False).proof()
    assert proof.words != decoded(PARAMS).words
    assert rejection(small_key(PARAMS).verifying_key, proof.encode(), public) is None
    return proof


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("published", [True, False])
def test_another_true_proof_costs_its_watcher_the_budget_at_most(published: bool, late: bool) -> None:
    """By bisection alone it opened all that differs, one node after the other."""
    operator = Replay(tree(), another_true_proof().words, public_values())
    heard = replay() if published else changed(len(decoded(PARAMS).words) - 1)
    for search, plan in plans(b"lot", 1, heard):
        game = play(plan, operator, late)
        assert not game.convicted
        assert len(search.nodes) <= game.openings <= search.openings
    assert search.openings < len(tree().nodes) - 1


def test_a_slip_in_the_root_is_found_by_bisection_where_the_operator_answers() -> None:
    """The proof is the published one, a wire of the root is not: what is drawn waits, and is not needed."""
    for name in (wire.name for group in tree().nodes[0].wires for wire in group):
        operator = Patched(tree(), replay(), {name: corrupted(name, Random(1))})
        (search, plan), (_, blind) = plans(b"lot", ALL)
        game = play(plan, operator, late=False)
        assert game.convicted and game.openings <= DEPTH
        late = play(plan, operator, late=True)
        assert late.convicted and late.rounds <= DEPTH and late.openings <= search.openings
        assert play(blind, operator, late=True).convicted


def test_where_the_proof_fits_nothing_is_drawn() -> None:
    (_, plan), _ = plans(b"lot", ALL)
    assert plan([0], honest()) == ([], [])
    false = changed(len(decoded(PARAMS).words) - 1)
    (_, plan), _ = plans(b"lot", ALL, false)
    game = play(plan, false, late=False)
    assert game.convicted and game.openings <= DEPTH


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("false", [(1,), (0, 2, 3), (0, 1, 2, 3)])
def test_true_words_in_the_false_queries_of_what_was_published_cost_a_budget(
    false: tuple[int, ...], late: bool
) -> None:
    """Published is nonsense in some queries, and the operator asserts the words that were there before: all true."""
    published = nonsense_in(*false)
    (search, plan), _ = plans(b"lot", 1, published)
    game = play(plan, replay(), late)
    assert not game.convicted
    assert game.openings <= query_openings(tree().nodes, 2)
    drawn, others = search.doubtful(published)
    queries = {node.index for node in tree().nodes if is_query(node)}
    assert len(queries & drawn) == min(len(false), 2)
    assert len(queries & others) == len(false) - len(queries & drawn)
    assert game.openings == len(drawn)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("query", range(ALL))
def test_who_asserts_one_false_query_of_many_that_were_published_meets_the_lot(
    query: int, late: bool
) -> None:
    """The first false query is always opened, of the others as many as are drawn."""
    published, operator = nonsense_in(*range(ALL)), nonsense_in(query)
    for lot in range(6):
        (_, plan), _ = plans(bytes([lot]), 2, published)
        nodes = tree().nodes
        first = next(node.index for node in nodes if node.name.endswith("/query 0"))
        others = [node.index for node in nodes if is_query(node) and node.index != first]
        drawn = {first, *by_lot(nodes, bytes([lot]), 2, others)}
        game = play(plan, operator, late)
        assert game.convicted == any(nodes[at].name.endswith(f"/query {query}") for at in drawn)
        assert game.openings <= query_openings(nodes, 3)
        assert game.rounds <= DEPTH or not late


def nonsense_in(*queries: int) -> Replay:
    words = array("I", decoded(PARAMS).words)
    for query in queries:
        words[next(place for place in range(HEAD, len(words)) if replay().query_of(place) == query)] ^= 1
    made = Replay(tree(), words, public_values())
    assert {at for at, _ in made.faults} == set(queries)
    return made


def test_a_wrong_query_where_the_published_one_is_right_is_followed_whoever_opened_it() -> None:
    """Only false queries of the published proof are drawn, but what differs elsewhere convicts."""
    published, operator = nonsense_in(0, 1), nonsense_in(2)
    (_, plan), _ = plans(b"lot", 0, published)
    node = next(node for node in tree().nodes if node.name.endswith("/query 2"))
    revealed = ancestry(tree().nodes, node.index)
    committed: dict[str, Digits] = {}
    while not any(convicts(at, committed) for at in revealed if values_known(at, committed)):
        for at in revealed:
            committed |= values_of(tree().nodes[at], operator)
        now, _ = plan(revealed, committed)
        if not now:
            break
        revealed = sorted((*revealed, *now))
    assert any(convicts(at, committed) for at in revealed)


def values_known(node: int, committed: Mapping[str, Digits]) -> bool:
    return all(wire.name in committed for group in tree().nodes[node].wires for wire in group)


def test_while_a_leaf_convicts_nothing_more_is_opened_but_late() -> None:
    """A disproof that no miner takes must not be the end: then the drawn nodes show whatever else is false."""
    published = nonsense_in(0)
    (search, plan), _ = plans(b"lot", 1, published)
    revealed, committed = [0], values_of(tree().nodes[0], published)
    while (now := plan(revealed, committed)[0])[:1]:
        revealed = sorted((*revealed, *now))
        for node in now:
            committed |= values_of(tree().nodes[node], published)
    assert any(convicts(node, committed) for node in revealed)
    assert plan(revealed, committed) == ([], search.wanted(revealed, committed)) != ([], [])


def test_the_lot_decides_and_stays() -> None:
    nodes = tree().nodes
    assert by_lot(nodes, b"a", 2) == by_lot(nodes, b"a", 2)
    drawn = [whole(nodes, by_lot(nodes, bytes([lot]), 1)) for lot in range(30)]
    assert len({frozenset(each) for each in drawn}) == ALL
    for each in drawn:
        (query,) = (at for at in each if is_query(nodes[at]))
        below = {node.index for node in nodes if query in ancestry(nodes, node.index)}
        assert each == below | set(ancestry(nodes, query)) - {0}
        assert len(each) <= query_openings(nodes, 1)


def test_what_is_drawn_commits_every_word_that_the_main_program_reads() -> None:
    """A cover: the program run on what its wires show is the operator's."""
    search = Search(tree(), b"lot", 0, index())
    operator = Replay(tree(), another_true_proof().words, public_values())
    committed: dict[str, Digits] = {}
    for node in (0, *search.nodes):
        committed |= values_of(tree().nodes[node], operator)
    recovered = search._recovered(committed).replay
    assert [recovered.values(node) for node in sorted(search.main)] == [
        operator.values(node) for node in sorted(search.main)
    ]


def test_wires_of_any_value_are_no_obstacle() -> None:
    """An operator that commits nonsense everywhere is convicted, and nobody's program fails on it."""
    rng = Random(3)

    class Nonsense:
        def values(self, node: int) -> tuple[tuple[Digits, ...], ...]:
            return tuple(
                tuple(tuple(rng.randrange(16) for _ in range(wire.digits)) for wire in group)
                for group in tree().nodes[node].wires
            )

    for _, plan in plans(b"lot", ALL):
        assert play(plan, Nonsense(), late=True).convicted


def test_nodes_revealed_by_others_change_nothing() -> None:
    """A colluder opens all else: the watcher's own openings are the same."""
    operator = Replay(tree(), another_true_proof().words, public_values())
    committed: dict[str, Digits] = {}
    for node in tree().nodes:
        committed |= values_of(node, operator)
    search, plan = plans(b"lot", 1)[0]
    everything: Sequence[int] = range(len(tree().nodes))
    others = [node for node in everything if node not in search.nodes]
    shown = [node for node in others if all(at in others for at in ancestry(tree().nodes, node)[1:])]
    now, later = plan([0, *shown], committed)
    assert set(later) <= search.nodes | search.main and len(now) <= 1
