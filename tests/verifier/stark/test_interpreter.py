"""The Program on plain integers, against the native interpreter's memory and the reference's verdict."""

import numpy as np

from tests.proofs import NO_WORK, TINY, decoded, public_values, small_key, verdicts
from verifier.fast.verify import fast_verifier
from verifier.stark.interpreter import execute


def test_memory_equals_the_native_interpreters_word_by_word():
    verifier = fast_verifier(small_key(TINY).verifying_key)
    proof = decoded(TINY)
    run = execute(verifier.program, proof.words, proof.public_values)
    assert run.rejection is None
    body, public = np.array(proof.words, np.uint32), np.array(proof.public_values, np.uint32)
    failure, memory = verifier._code.run(body, verifier.program.public.address, public)
    assert failure is None
    assert memory.tolist() == run.memory.tolist()
    assert len(run.items[1]) == TINY.num_queries
    last = run.items[1][-1]
    assert all(run.memory[address] == word for address, word in last.items())


def test_rejections_equal_the_references():
    key = small_key(NO_WORK).verifying_key
    program = fast_verifier(key).program
    leaves = list(decoded(NO_WORK).leaves())
    for leaf in leaves[:: len(leaves) // 40]:
        proof = decoded(NO_WORK)
        proof.set(leaf, [proof.get(leaf)[0] ^ 2, *proof.get(leaf)[1:]])
        plain, _ = verdicts(key, proof.encode(), public_values())
        error = execute(program, proof.words, proof.public_values).rejection
        assert (error.reason, error.where, error.expected, error.got) == plain
