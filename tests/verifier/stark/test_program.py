"""The recorded Program: fixed by the key, in step with the layout, and the interpreter's checks on it."""

import numpy as np
import pytest

import native
from prover.hashing import Context, digest, to_bytes, to_words
from tests.proofs import NO_WORK, TINY, small_key
from verifier.fast.verify import FastVerifier
from verifier.stark.program import INSTRUCTION_WORDS, Code, Recorder, record
from verifier.stark.reasons import RejectReason

KEYS = [native.blake3_context_key(context.value) for context in Context]


def test_recording_is_deterministic_and_reads_the_whole_body():
    key = small_key(TINY).verifying_key
    first, second = record(key), record(key)
    assert [b.code for b in first.blocks] == [b.code for b in second.blocks]
    assert first.constants == second.constants
    assert first.body_words == key.layout.body_words
    assert first.blocks[1].reads == key.layout.query_words
    assert first.loops()[0].times == TINY.num_queries


def test_the_query_is_recorded_once():
    few = record(small_key(NO_WORK).verifying_key)
    assert len(few.blocks) == 2
    assert few.counts()["FOR_EACH"] == 1
    assert len(few.blocks[0]) < 3 * len(few.blocks[1])


def test_memory_is_written_once():
    program = record(small_key(TINY).verifying_key)
    written = np.zeros(program.memory_words, int)
    for address, words in program.constants:
        written[address : address + len(words)] += 1
    written[program.public.address : program.public.address + program.public.length] += 1
    sizes = {"EMBED": 6, "MUL": 1, "CHALLENGE": 6, "DOT": 6, "EXT_DOT": 6, "HASH": 8, "HASH_WIDE": 16}
    for number, block in enumerate(program.blocks):
        if number:
            written[block.item] += 1
        for at in range(0, len(block.code), INSTRUCTION_WORDS):
            code, out, *_ = block.code[at : at + INSTRUCTION_WORDS]
            name, count = Code(code).name, block.code[at + 5]
            if name.startswith("ASSERT") or name == "FOR_EACH":
                continue
            size = sizes.get(name, 6 * count if name == "POWERS" else 6 if name.startswith("EXT") else count)
            written[out : out + size] += 1
    assert (written == 1).all()


@pytest.mark.parametrize("length", [1, 15, 16, 17, 255, 256, 257, 512, 513, 768, 1024, 1025, 3000])
@pytest.mark.parametrize("context", [Context.LEAF, Context.NODE])
def test_interpreter_hashes_as_blake3(length, context):
    rng = np.random.default_rng(length)
    words = rng.integers(0, 2**32, length, dtype=np.uint32)
    expected = to_words(digest(context, to_bytes(words.tolist())))
    for alter in (0, 1):
        recorder = Recorder(0)
        out = recorder.hash(context, recorder.read_words(length))
        recorder.assert_equal(out, recorder.constant(expected), RejectReason.ROW_PATH, "hash")
        words[0] ^= alter
        failure, _ = _code(recorder).run(words, 0, np.zeros(0, np.uint32))
        assert (failure is None) == (alter == 0)


def _code(recorder):
    program = recorder.program
    initial = np.zeros(program.memory_words, np.uint32)
    for address, words in program.constants:
        initial[address : address + len(words)] = words
    blocks = [np.array(b.code, np.uint32).reshape(-1, INSTRUCTION_WORDS) for b in program.blocks]
    reads, items = [b.reads for b in program.blocks], [b.item for b in program.blocks]
    return native.ProgramCode(blocks, reads, items, initial, program.blocks[0].reads, KEYS)


def test_recorder_refuses_operands_of_the_wrong_length():
    recorder = Recorder(0)
    a, b = recorder.constant([1, 2]), recorder.constant([1])
    for wrong in (
        lambda: recorder.part(a, 1, 2),
        lambda: recorder.select(b, a, b),
        lambda: recorder.dot(a, b),
        lambda: recorder.ext_dot(a, b),
        lambda: recorder.assert_equal(a, b, RejectReason.ROW_PATH, "x"),
    ):
        with pytest.raises(IndexError):
            wrong()


@pytest.mark.parametrize(
    "line",
    [
        [22, 0, 0, 0, 0, 0, 0, 0],
        [Code.COPY, 90, 0, 0, 0, 20, 0, 0],
        [Code.COPY, 0, 90, 0, 0, 20, 0, 0],
        [Code.EXT_MUL, 0, 0, 95, 0, 0, 0, 0],
        [Code.POWERS, 0, 0, 0, 0, 17, 0, 0],
        [Code.READ_WORDS, 0, 5, 0, 0, 6, 0, 0],
        [Code.HASH, 0, 0, 7, 0, 1, 0, 0],
        [Code.HASH, 0, 0, 0, 0, 0, 0, 0],
        [Code.BITS, 0, 0, 0, 0, 33, 0, 0],
        [Code.FOR_EACH, 0, 0, 1, 1, 1, 0, 0],
        [Code.ASSERT_EQUAL, 0, 0, 99, 0, 2, 0, 0],
    ],
)
def test_interpreter_refuses_code_that_reaches_outside(line):
    code = np.array([line], np.uint32)
    with pytest.raises(native.KernelError):
        native.ProgramCode([code], [10], [0], np.zeros(100, np.uint32), 10, KEYS)


def test_standard_size_program_runs_in_milliseconds():
    import time

    from prover.params import PRESETS
    from tests.proofs import public_values, small_proof

    key = small_key(PRESETS["standard"]).verifying_key
    verifier, data, public = FastVerifier(key), small_proof(PRESETS["standard"]), public_values()
    start = time.perf_counter()
    verifier.verify(data, public)
    assert time.perf_counter() - start < 0.2
