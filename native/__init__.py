"""The kernels: everything that is hot, in C (AVX-512, AVX2, portable), or numba where the C build is missing.

This file is the whole public face. Arrays are canonical uint32 below p = 2^31 - 2^24 + 1, C-contiguous,
(num_columns, num_rows), natural order; KB6 = F_p[X]/(X^6 + X^3 + 1) is planar (6, n), digests planar (8, n);
see docs/architecture.md. Where a function takes columns, it takes one (c, n) array or a list of (n) and
(c, n) arrays of equal n, anywhere in memory, and does not copy them. Wrong types and shapes raise
`KernelError`; elements are trusted to be canonical (`is_canonical` checks).
"""

from native.backend import Meter, metered, set_threads, set_tier, threads, tier, tiers, using_threads, why
from native.chains import hash160_chains, links_words, words_links
from native.checks import KB6, U32, P, empty
from native.errors import KernelError
from native.executor import execute, hash_words
from native.field import (
    add,
    batch_inverse,
    copy_columns,
    is_canonical,
    kb6_axpy,
    kb6_batch_inverse,
    kb6_mul,
    logup_accumulate,
    mul,
    powers,
    prefix_sum,
    sub,
)
from native.fri import barycentric_weights, deep_quotient, dot_columns, fri_fold, row_dot
from native.hashing import RowHasher, blake3_context_key, grind, hash_inject, hash_nodes, hash_rows
from native.machine import Machine, Op
from native.memory import give_back, idle_bytes
from native.ntt import coset_intt, coset_lde, coset_ntt, coset_points, dft_natural, intt, ntt, two_adic_root
from native.poseidon2 import (
    poseidon2_compress,
    poseidon2_permute,
    poseidon2_trace,
    trace_columns,
    xmss_chains,
)
from native.program import ProgramCode, ProgramFailure, first_non_canonical

__all__ = [
    "KB6",
    "U32",
    "KernelError",
    "Machine",
    "Meter",
    "Op",
    "P",
    "ProgramCode",
    "ProgramFailure",
    "RowHasher",
    "add",
    "barycentric_weights",
    "batch_inverse",
    "blake3_context_key",
    "copy_columns",
    "coset_intt",
    "coset_lde",
    "coset_ntt",
    "coset_points",
    "deep_quotient",
    "dft_natural",
    "dot_columns",
    "empty",
    "execute",
    "first_non_canonical",
    "fri_fold",
    "give_back",
    "grind",
    "hash160_chains",
    "hash_inject",
    "hash_nodes",
    "hash_rows",
    "hash_words",
    "idle_bytes",
    "intt",
    "is_canonical",
    "kb6_axpy",
    "kb6_batch_inverse",
    "kb6_mul",
    "links_words",
    "logup_accumulate",
    "metered",
    "mul",
    "ntt",
    "poseidon2_compress",
    "poseidon2_permute",
    "poseidon2_trace",
    "powers",
    "prefix_sum",
    "row_dot",
    "set_threads",
    "set_tier",
    "sub",
    "threads",
    "tier",
    "tiers",
    "trace_columns",
    "two_adic_root",
    "using_threads",
    "why",
    "words_links",
    "xmss_chains",
]
