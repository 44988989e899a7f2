import struct

import pytest
from blake3 import blake3

import native
from prover.field import P
from prover.hashing import Context, digest, ood_root, to_bytes, to_words
from prover.transcript import Transcript, TranscriptError


def _h(data, length=32, context="pegproof 2026 transcript"):
    return blake3(data, derive_key_context=context).digest(length=length)


def test_states_and_challenges_follow_the_definition():
    transcript = Transcript()
    transcript.absorb("a", b"abcd")
    state = _h(bytes(32) + b"abcd")
    assert transcript.state == state
    block = _h(state, 64)
    expected = tuple(w % P for w in struct.unpack("<6Q", block[:48]))
    assert transcript.challenge("c") == expected
    assert transcript.state == _h(block[:32])
    state = transcript.state
    blocks = b"".join(_h(state + struct.pack("<I", k), 64, "pegproof 2026 indices") for k in range(2))
    wanted = [word % 2**20 for word in struct.unpack("<32I", blocks)[:20]]
    assert transcript.indices("q", 20, 20) == wanted and transcript.state == state


def test_every_step_is_logged_in_order():
    log = []
    transcript = Transcript(lambda kind, label, data: log.append((kind, label, len(data))))
    transcript.absorb_words("root", [1, 2, 3])
    transcript.challenge("beta")
    assert log == [("absorb", "root", 12), ("squeeze", "beta", 64)]


def test_nothing_cannot_be_absorbed():
    with pytest.raises(TranscriptError):
        Transcript().absorb("empty", b"")


def test_order_and_content_change_challenges():
    outcomes = set()
    for parts in ([b"aaaa", b"bbbb"], [b"bbbb", b"aaaa"], [b"aaaabbbb"], [b"aaaa"]):
        transcript = Transcript()
        for part in parts:
            transcript.absorb("x", part)
        outcomes.add(transcript.challenge("c"))
    assert len(outcomes) == 4


def test_native_grinding_finds_the_first_nonce():
    state = digest(Context.AIR, b"state")
    nonce = native.grind(state, 10, Context.GRIND.value)
    first_words = (digest(Context.GRIND, state + n.to_bytes(8, "little"))[:4] for n in range(nonce + 1))
    assert [n for n, word in enumerate(first_words) if int.from_bytes(word, "little") % 1024 == 0] == [nonce]


def test_contexts_are_all_different():
    assert len({digest(context, bytes(64)) for context in Context}) == len(Context)


def test_words_and_bytes_are_inverse():
    words = [0, 1, 2**32 - 1, P]
    assert list(to_words(to_bytes(words))) == words
    assert to_bytes([1]) == b"\1\0\0\0"


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9, 18, 32])
def test_openings_tree_pairs_neighbours_and_is_zero_padded(count):
    points = [[bytes([i + 100 * point]) * 24 for i in range(count)] for point in (0, 1)]
    roots = []
    for columns in points:
        level = [
            _h(b"".join(columns[i : i + 4]), context="pegproof 2026 ood leaf") for i in range(0, count, 4)
        ]
        while len(level) & (len(level) - 1):
            level.append(bytes(32))
        while len(level) > 1:
            level = [
                _h(level[i] + level[i + 1], context="pegproof 2026 node") for i in range(0, len(level), 2)
            ]
        roots.append(level[0])
    assert ood_root(points) == _h(b"".join(roots), context="pegproof 2026 node")
