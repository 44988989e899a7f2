"""The buses that tie the tables: each tuple sent is received as often (LogUp).

Element order of each tuple is given beside it; `x4` is a word, `x8` a digest.
"""

from prover.air.air import Relation

ROM = Relation("rom", 1, 7)
"""pc, op, d, a, b, imm0, imm1. A kernel instruction: sent by cpu, received by `rom`."""
MEMORY = Relation("memory", 2, 9)
"""segment (0 registers, 1 cells, 1 + s the shadow opened at clk s), hi (frame, 0 the kernel's | cell index), lo
(register | word), ts, value4, kind (0 read, 1 write, 2 seed). Sent by the accessor, received by
`memory`."""
CELL_WORD = Relation("cell_word", 3, 10)
"""cell index, word number, before4, after4. Sent by p24, received by `cells`."""
TREE = Relation("tree", 4, 18)
"""level (+64 for the exit tree), index, before8, after8. Sent by the parent, received by the node or leaf."""
HASH = Relation("hash", 5, 29)
"""tag, state8, a4, b4, c4, result8. Sent by the user, received by p24."""
SIG = Relation("sig", 6, 17)
"""message8, owner8, leaf (epoch). Sent by cpu, received by p24's message row."""
ADD = Relation("add", 7, 13)
"""x4, y4, z4, carry: x + y = z + 2^64 carry. Sent by the user, received by `add`."""
LESS = Relation("less", 8, 9)
"""a4, b4, bit: bit = (a < b). Sent by the user, received by `add`."""
MULDIV = Relation("muldiv", 9, 21)
"""a4, b4, c4, q4, r4, fail: fail = 0 and a b = q c + r, r < c; or fail = 1, a b = q + 2^64 r, r >= c (the quotient
would be 2^64 or more, or the divisor is 0). Sent by cpu, received by `muldiv`."""
LIMBS = Relation("limbs", 10, 4)
"""Four 16-bit limbs. Sent by the user, received by `word`."""
BYTES = Relation("bytes", 11, 8)
"""Eight bytes. Sent by the user, received by `word`."""
PAIR = Relation("pair", 12, 2)
"""hi, lo: two bytes. Sent by the user, received by `range`."""
RANGE16 = Relation("range16", 13, 1)
"""A value below 2^16. Sent by the user, received by `range`."""
PUBLIC = Relation("public", 14, 5)
"""k, word4. Sent by the verifier, received by cpu (OUT)."""
CHUNK = Relation("chunk", 15, 17)
"""signature id, step 0..34, 15 elements absorbed by the leaf sponge. Sent by chain, received by p24."""
CHAIN_END = Relation("chain_end", 16, 16)
"""t0 of the first step, t0 of the last step, t1, parameter5, end8. Sent by p16, received by chain."""
ENCODING = Relation("encoding", 17, 12)
"""signature id, half (0, 1), epoch, parameter5, A4: half of the message hash that is encoded into digits,
with the key's parameter. Sent twice by p24's owner row, received twice by chain."""
CODE = Relation("code", 18, 8)
"""listing, pc, op, d, a, b, imm0, imm1: a user instruction. Sent by cpu, received by `code`."""
PROGRAM = Relation("program", 19, 9)
"""listing, code hash8: the whole of that listing has that hash. Sent by cpu (ENTER), received by `code`."""
