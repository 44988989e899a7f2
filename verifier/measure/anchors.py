"""Figures of other provers, measured on one machine (a 2-core x86-64 with AVX-512): what the tables compare with.

Another machine shifts all of them alike; `bench/compare.py` runs what installs from PyPI beside ours.
"""

from __future__ import annotations

POSEIDON2_W16 = {1: 4.7e6, 2: 10.6e6}
"""Plonky3, KoalaBear, permutations a second by threads."""
LDE_2X = {1: 39e6, 2: 76e6}
"""Plonky3, coset extension to twice the size, 2^20 x 64: input elements a second."""
NTT = {1: 142e6, 2: 236e6}
"""Plonky3 SmallBatch, 2^20 x 64: elements a second."""
MERKLE_SECONDS = {1: 0.143, 2: 0.075}
"""Plonky3, Keccak, 2^18 rows x 64."""
AIR = {(18, 2): 190e3, (20, 2): 195e3, (18, 1): (1 << 18) / 2.89}
"""Plonky3, KoalaBear, Keccak trees: permutations proven a second by (log size, threads)."""
AIR_BYTES = {18: 354e6, 20: 1.43e9}
"""Its peak memory."""
SIGNATURES = 17.6
"""py-lean-multisig: XMSS signatures aggregated a second."""
VERIFY_SECONDS = (0.003, 0.13)
"""Stwo's fastest verification, Plonky3's slowest."""
