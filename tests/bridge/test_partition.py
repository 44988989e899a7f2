"""What a node reads is bound: each copy leads through hashes to a root or a seal that others compare with too."""

from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from random import Random

import pytest

from native.hashing import blake3_context_key
from prover.field import DEGREE
from prover.hashing import Context, digest, to_bytes, to_words
from tests.bridge.chunks import SEED, honest, replay, tree
from tests.script.spends import tapscript_spend
from verifier.bridge.chunks.accuse import accuse, hints_of
from verifier.bridge.chunks.evaluate import run
from verifier.bridge.chunks.execution import Replay
from verifier.bridge.chunks.opening import MAIN, ChunkTree
from verifier.bridge.chunks.pieces import Chunk, needed
from verifier.bridge.chunks.steps import CHECKS, HASHING, Kind, Lowered, Step, compressions
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.script.script import encode_number
from verifier.script.spend import verify_input
from verifier.script.winternitz import nibbles, public_key, sign
from verifier.stark.program import Program, Recorder
from verifier.stark.reasons import RejectReason

P = 0x7F000001


def readers() -> dict[int, list[tuple[Step, Chunk]]]:
    """Word -> the steps that read it, light words resolved."""
    found: dict[int, list[tuple[Step, Chunk]]] = defaultdict(list)
    for chunk in chain(*tree().partition.chunks):
        for step in chunk.steps:
            for word in set(needed(step, tree().lowered)):
                found[word].append((step, chunk))
    return found


def comparisons(word: int, read: dict[int, list[tuple[Step, Chunk]]]) -> list[tuple[Step, Chunk]]:
    """The comparisons to which hashing leads from a word."""
    found, seen, todo = [], set(), [word]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        for step, chunk in read[at]:
            if step.kind in HASHING:
                todo += step.out
            elif step.kind is Kind.EQUAL:
                found.append((step, chunk))
    return found


def test_every_copy_is_hashed_and_compared_on_the_path_of_who_reads_it() -> None:
    lowered, partition, read = tree().lowered, tree().partition, readers()
    roots = {lowered.opening.root, *(seal.digest for seal in lowered.seals)}
    copies = [w for w in partition.copy_of if read[w] and w not in partition_makes()]
    assert len(copies) > 1_000
    for word in copies:
        paths = [chunk.path for step, chunk in comparisons(word, read) if step.args[1] in roots]
        for _, chunk in read[word]:
            assert any(
                path == chunk.path[: len(path)] or chunk.path == path[: len(chunk.path)] for path in paths
            )


def test_no_leaf_convicts_an_honest_run() -> None:
    """Of the main program and of a query, by evaluation."""
    values, count = honest(), 0
    for leaves in tree().leaves:
        for leaf in leaves:
            if leaf.query in (MAIN, 0):
                count += 1
                assert hints_of(tree(), leaf, values)[1] is False
    assert count > 500


@cache
def partition_makes() -> set[int]:
    return {word for chunk in chain(*tree().partition.chunks) for step in chunk.steps for word in step.out}


def faults(changed: int, block: int, read: dict[int, list[tuple[Step, Chunk]]]) -> list[Chunk]:
    """A copy changed and everything made again that follows from it, in its block: the chunks that find fault."""
    memory = dict(replay().memory(0 if block else MAIN))
    honest, found = dict(memory), []
    memory[changed] ^= 1
    todo = [changed]
    while todo:
        for step, chunk in read[todo.pop()]:
            if chunk not in tree().partition.chunks[block]:
                continue
            out, fault = run(step, memory, tree().lowered)
            if fault:
                found.append(chunk)
            new = [w for w, value in zip(step.out, out, strict=True) if memory[w] != value]
            memory.update(zip(step.out, out, strict=True))
            todo += new
    assert memory != honest
    return found


@pytest.mark.parametrize("block", [0, 1])
def test_a_copy_that_lies_is_found_though_all_that_follows_is_made_to_fit(block: int) -> None:
    """By a comparison on the path of the node whose copy it is, not only by what comes of it elsewhere."""
    read, rng = readers(), Random(block)
    own = {word for wire in tree().partition.wires[block] for word in wire.words}
    copies = sorted(own & tree().partition.copy_of.keys() - partition_makes())
    for word in rng.sample(copies, 12):
        ((_, reader), *_) = read[word]
        assert any(chunk.path[: len(reader.path)] == reader.path for chunk in faults(word, block, read))


def test_openings_and_sealed_words_are_read_as_copies_only() -> None:
    lowered, read = tree().lowered, readers()
    scopes = {word: seal.scope for seal in lowered.seals for word in seal.words}
    assert not [word for word in lowered.opening.leaf if read[word]]
    for word, scope in scopes.items():
        assert all(step.scope == scope for step, _ in read[word])
    of_the_query = {w for c in tree().partition.chunks[1] for s in c.steps for w in needed(s, lowered)}
    assert not of_the_query & scopes.keys()


def test_every_word_that_is_calculated_with_is_checked_to_be_below_p() -> None:
    """Data where it is read; a copy of sealed words by its hash, for what is sealed is checked or made."""
    lowered, partition, read = tree().lowered, tree().partition, readers()
    sealed, made = {word for seal in lowered.seals for word in seal.words}, partition_makes()
    bits = {word for light in lowered.light.values() if light.kind is Kind.BIT for word in light.reads}

    def checked(word: int) -> bool:
        return word in made or any(step.kind is Kind.CANONICAL for step, _ in read[word])

    count = 0
    for word, uses in list(read.items()):
        if any(step.kind not in HASHING | CHECKS for step, _ in uses):
            count += word not in made
            source = partition.copy_of.get(word, word)
            assert checked(word) or (source in sealed and checked(source)) or word in bits
    assert count > 500


def test_no_chunk_divides_by_what_it_makes() -> None:
    """Were that 0 its script would fail, and nobody could convict who commits a false divisor and its "inverse"."""
    count = 0
    for chunk in chain(*tree().partition.chunks):
        made = {word for step in chunk.steps for word in step.out}
        for step in chunk.steps:
            if step.kind is Kind.INVERSE:
                count += 1
                assert not made & set(step.args[0])
    assert count > 5


def test_the_root_commits_what_every_dispute_needs_and_two_digests_for_the_queries() -> None:
    """Claim, four challenges, the openings' root, the sums' seal; the last state, and two seals."""
    lowered = tree().lowered
    root = [wire.words for wire in tree().partition.wires[0] if wire.path == ()]
    top = [seal.digest for seal in lowered.seals if seal.digest[0] not in tree_of_seals()]
    assert len(root) == 11
    assert len([digest for digest in top if digest in root]) == 3


def tree_of_seals() -> set[int]:
    """Words that a seal holds."""
    return {word for seal in tree().lowered.seals for word in seal.words}


def test_a_seal_under_a_seal_is_hashed_up_to_the_one_that_is_committed() -> None:
    """A part of a query that reads one root of many: its copy, those beside the path, one comparison."""
    lowered, partition, read = tree().lowered, tree().partition, readers()
    under = [seal for seal in lowered.seals if seal.digest[0] in tree_of_seals()]
    assert len(under) >= 4
    tops = {seal.digest for seal in lowered.seals} - {seal.digest for seal in under}
    found = 0
    for chunk in partition.chunks[1]:
        for step in chunk.steps:
            for word in needed(step, lowered):
                if partition.copy_of.get(word) in {w for seal in under for w in seal.words}:
                    ends = [s.args[1] for s, _ in comparisons(word, read) if s.args[1] in tops]
                    assert ends
                    found += 1
    assert found > 20


def test_nothing_light_is_made_of_what_nodes_copy() -> None:
    """A copy takes another name in a step, not in the light words that it reads."""
    lowered = tree().lowered
    copied = {*lowered.opening.leaf, *(word for seal in lowered.seals for word in seal.words)}
    assert lowered.light
    assert not [word for light in lowered.light.values() for word in light.reads if word in copied]


def test_the_sums_are_read_by_the_seal_that_the_transcript_absorbs() -> None:
    """By the bus and by each table's share: a copy, hashed, compared with the transcript's own digest."""
    lowered, partition = tree().lowered, tree().partition
    sums = next(seal for seal in lowered.seals if seal.words[0] in {w for u, _ in lowered.data[0] for w in u})
    absorbed = [s for s in lowered.blocks[0] if s.kind is Kind.COMPRESS and set(sums.digest) & set(s.args[1])]
    assert absorbed and all(lowered.program.scopes[step.scope] == "transcript" for step in absorbed)
    copied = defaultdict(set)
    for chunk in partition.chunks[0]:
        for step in chunk.steps:
            for word in needed(step, lowered):
                if partition.copy_of.get(word) in sums.words and step.kind not in HASHING:
                    copied[lowered.program.scopes[step.scope]].add(word)
    assert {"statement/sums", *(f"constraints/{t}" for t in ("chain", "squares", "sink"))} <= {
        "/".join(scope.split("/")[:2]) for scope in copied
    }


def hashed(words: list[int]) -> list[int]:
    """The hash by the compressions of `compressions`."""
    numbers = iter(range(10**6, 10**7))
    memory = {i: word for i, word in enumerate(words)}
    key, zero = tuple(next(numbers) for _ in range(8)), next(numbers)
    memory[zero] = 0
    memory.update(zip(key, blake3_context_key(Context.SEAL), strict=True))
    out = tuple(next(numbers) for _ in range(8))
    inside = iter(lambda: tuple(next(numbers) for _ in range(8)), None)
    for chaining, block, number, result in compressions(
        key, tuple(range(len(words))), out, lambda: next(inside), lambda count: (zero,) * count
    ):
        step = Step(Kind.COMPRESS, result, (chaining, block), number)
        memory.update(zip(result, run(step, memory, Lowered(Program()))[0], strict=True))
    return [memory[word] for word in out]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 769, 1_100])
def test_compressions_are_blake3(count: int) -> None:
    words = [Random(count).randrange(2**32) for _ in range(count)]
    assert hashed(words) == list(to_words(digest(Context.SEAL, to_bytes(words))))


@pytest.mark.parametrize("count", [2, 42, 43, 86])
def test_a_seal_of_any_length_is_opened(count: int) -> None:
    """Sums of so many tables: more than 42 do not fit BLAKE3's chunk of 1,024 bytes."""
    recorder = Recorder(0)
    with recorder.scope("statement"):
        recorder.constant([0])
    with recorder.scope("transcript"):
        sums = recorder.read_elements(DEGREE * count, "sums")
        recorder.hash(Context.TRANSCRIPT, recorder.hash(Context.SEAL, sums))
    with recorder.scope("bus"):
        total = recorder.constant([0] * DEGREE)
        for i in range(count):
            total = recorder.ext_add(total, recorder.part(sums, DEGREE * i, DEGREE))
        recorder.assert_zero(total, RejectReason.LOOKUP_SUM, "bus")
    made = ChunkTree(recorder.program)
    rng = Random(count)
    body = [rng.randrange(P) for _ in range(DEGREE * (count - 1))]
    body += [-sum(body[k::DEGREE]) % P for k in range(DEGREE)]
    replay = Replay(made, body, [])
    assert replay.faults == []
    values = {
        made.name(wire, MAIN): nibbles(to_bytes(replay.words(wire, MAIN))) for wire in made.partition.wires[0]
    }
    for leaves in made.leaves:
        for leaf in leaves:
            assert accuse(made, leaf, values) is None


def test_a_statement_without_public_values_has_no_claim() -> None:
    recorder = Recorder(0)
    with recorder.scope("statement"):
        recorder.hash(Context.TRANSCRIPT, recorder.constant([1]))
    recorder.assert_zero(recorder.read_elements(DEGREE, "a"), RejectReason.LOOKUP_SUM, "a")
    with pytest.raises(BridgeError) as caught:
        _ = ChunkTree(recorder.program).claim
    assert caught.value.reason is BridgeReason.NO_CLAIM


def tangled() -> ChunkTree:
    """A scope that makes a square, hands it to one inside, and multiplies what comes back."""
    recorder = Recorder(0)
    with recorder.scope("statement"):
        recorder.constant([0])
    with recorder.scope("outer"):
        x, y, z, expected = (recorder.read_elements(DEGREE, name) for name in ("x", "y", "z", "expected"))
        square = recorder.ext_mul(x, x)
        with recorder.scope("inner"):
            inside = recorder.ext_mul(y, square)
        recorder.assert_equal(recorder.ext_mul(z, inside), expected, RejectReason.LOOKUP_SUM, "outer")
    return ChunkTree(recorder.program)


def test_a_chunk_waits_for_none_that_calculates_from_its_words() -> None:
    """Only a chunk that runs convicts: a word of p or more can fail those that read it, but not who makes it."""
    for made in (tree(), tangled()):
        for chunks in made.partition.chunks:
            fields = [chunk for chunk in chunks if chunk.steps[0].kind not in HASHING | CHECKS]
            makers = {word: chunk for chunk in fields for step in chunk.steps for word in step.out}
            copies, graph = made.partition.copy_of, dict[Chunk, set[Chunk]]()
            for chunk in fields:
                read = {w for step in chunk.steps for w in needed(step, made.lowered)}
                read |= {copies[word] for word in read if word in copies}
                graph[chunk] = {makers[word] for word in read if word in makers} - {chunk}
            assert len(list(TopologicalSorter(graph).static_order())) == len(fields)


def test_words_that_fail_the_scripts_that_read_them_are_convicted_where_they_are_made() -> None:
    """The square and what comes of it, both with a difference of digits below 0: any product can follow."""
    made, rng = tangled(), Random(3)
    body = [rng.randrange(P) for _ in range(4 * DEGREE)]
    replay, bad = Replay(made, body, []), to_bytes((0, 0, 0, 0xFFFFFFFF, 0, 0))
    values, products = {}, list[str]()
    for wire in made.partition.wires[0]:
        name = made.name(wire, MAIN)
        values[name] = nibbles(to_bytes(replay.words(wire, MAIN)))
        if wire.words[0] in {w for chunk in made.partition.chunks[0] for s in chunk.steps for w in s.out}:
            products.append(name)
    square, product, inside = products
    expected = next(n for n, v in values.items() if v == nibbles(to_bytes(body[3 * DEGREE :])))
    values |= {square: nibbles(bad), inside: nibbles(bad), product: values[expected]}
    spent = set()
    for leaf in chain(*made.leaves):
        hints = accuse(made, leaf, values)
        if hints is not None:
            names = made.wire_names(leaf)
            script = made.shape(leaf).leaf(public_key(SEED, n.encode(), len(values[n])) for n in names)
            signed = [item for n in reversed(names) for item in sign(SEED, n.encode(), values[n])]
            items = [*(encode_number(hint) for hint in reversed(hints)), *signed]
            if verify_input(tapscript_spend(script, items), 0).accepted:
                spent.update(names)
    assert square in spent
