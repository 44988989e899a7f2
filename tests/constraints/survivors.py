"""Constraints that no known forgery is refused by alone, and why each is kept."""

from __future__ import annotations

OTHERS_REFUSE = "a false value is also noticed by a relation; it is what the table's argument rests on"
WHOLE_RUN = "a forgery has to change many rows together; the search changes one, and no attack test does it"

HASHED = (
    "what it holds equal is hashed: another value needs another permutation in the following row, and other rows "
    "after it; the attack tests break it together with those"
)

KIND = "the kind of a row counts in the rows beside it and in what it sends: "
ALONG = "what holds along the rows of a signature: "


def _items(rule: str, count: int, reason: str) -> dict[str, str]:
    """A rule that is stated item by item."""
    return {f"{rule}[{i}]": reason for i in range(count)}


SURVIVORS: dict[str, str] = {
    "chain digit_bit2_bool": "a digit that is none is in the sum and the accumulator of its block: "
    + WHOLE_RUN,
    "chain remainder_bit_bool": "the same of a remainder's term: " + WHOLE_RUN,
    "chain range_end": "what is left of a word after its last halving: " + WHOLE_RUN,
    "chain is_active_bool": "constant over the 64 rows of a block: " + WHOLE_RUN,
    "code code.first_listing": "shifts the number of every listing: " + WHOLE_RUN,
    "code code.is_code_bool": "counts hashes, bytes and places in pc' as well: " + OTHERS_REFUSE,
    "code code.last_is_end": "a listing that runs round the ring: " + WHOLE_RUN,
    "cpu cpu.e_bool": "implied: JEQ and JNE fixed by the witness of JEQ and JNE, by LESS, and outright elsewhere",
    "cpu cpu.first_clk": "shifts the time of every step: " + WHOLE_RUN,
    "cpu cpu.first_space": "a shadow that no SPACE opened has no seed in `cells`: " + OTHERS_REFUSE,
    "cpu cpu.first_user": "a first step in user mode has no listing to fetch from: " + OTHERS_REFUSE,
    "cpu cpu.user_bool": "fetches count 1 - user and user: " + OTHERS_REFUSE,
    "cpu cpu.last_is_pad": "a run without a HALT that fills the table: " + WHOLE_RUN,
    **{
        f"cpu cpu.flag_bool[{name}]": "of one form with those of the other opcodes, which are killed"
        for name in ("ENTRY", "JEQ", "JGE", "JMP", "SYS")
    },
    "memory memory.real_bool": "counts the access: " + OTHERS_REFUSE,
    "memory memory.register_segment": "an access to a register has segment 0 from `cpu`: " + OTHERS_REFUSE,
    "p16 cont_bool": "a chain's flag counts in the following row as well: " + WHOLE_RUN,
    **_items("p16 chain_parameter", 5, HASHED),
    "p16 chain_t0": HASHED,
    **_items("p16 chain_value", 8, HASHED),
    **_items("p16 left_untouched", 8, HASHED),
    **{
        f"p24 {name}_bool": KIND + WHOLE_RUN
        for name in ("is_cell", "is_sponge", "is_path", "is_owner", "bit")
    },
    **{
        f"p24 {name}": KIND + WHOLE_RUN
        for name in ("after_sponge", "before_path", "before_owner", "message_has_no_kind")
    },
    **{
        f"p24 {name}": ALONG + WHOLE_RUN
        for name in ("chunk_first", "leaf_complete", "level_next", "index_next", "root_index", "path_epoch")
    },
    "p24 path_padding": HASHED,
    **_items("p24 sponge_capacity", 9, HASHED),
    **_items("p24 sponge_carry", 9, HASHED),
    **_items("p24 child", 8, HASHED),
    **_items("p24 path_parameter", 5, HASHED),
    **{f"p24 owner_{name}": HASHED for name in ("tag", "key_type", "height")},
    **_items("p24 owner_root", 8, HASHED),
    **_items("p24 owner_parameter", 5, HASHED),
    **_items("p24 owner_padding", 8, HASHED),
}
