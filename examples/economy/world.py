"""The chain of the season: who is there, which programs, in which cells."""

from __future__ import annotations

from dataclasses import dataclass

from circuits.programs import amm, lending, options, oracle, staking, top
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import Purse, owner_cell
from circuits.xmss.batch import keygen
from circuits.xmss.scheme import SecretKey
from examples.economy.chain import Chain
from examples.programs import token

CHAIN_ID, BASE_FEE, L1_RATE = 2026, 50, 20
KEY_HEIGHT = 9
COIN = 10**9
"""Msat: 0.01 BTC."""
RULES = staking.Rules(
    depth=4,
    epoch_blocks=5,
    seed_blocks=1,
    max_jump=4,
    max_rank=3,
    open_blocks=6,
    bond=COIN,
    min_stake=COIN // 100,
)
POST_AGE = 40
LENDING = lending.Rules(rate=2_000, min_debt=1_000_000, max_age=60)
ROUND_SLOTS = 6
DEPOSIT, PENALTY = COIN, COIN // 10
"""Of a bid for the first place of a block."""
SEQUENCERS = ("sara", "sven", "suzu")
STAKERS = ("ann", "ben", "cho", "dia", "eli")
TRADERS = ("tom", "uma", "vik", "wei")
OTHERS = ("issuer", "lender", "borrower", "writer", "holder")
FEEDS = ("feed 1", "feed 2", "feed 3")
PEOPLE = (*SEQUENCERS, *STAKERS, *TRADERS, *OTHERS, *FEEDS)


@dataclass
class World:
    """Cells by name.

    Attributes:
        chain: The ledger.
        people: Account cells.
        tokens: Purses of the token, of those who hold some.
        staking: Where the staking program's cells are.
        programs: Cells of all programs.
    """

    chain: Chain
    people: dict[str, int]
    tokens: dict[str, int]
    staking: staking.Layout
    programs: dict[str, int]

    @property
    def names(self) -> dict[int, str]:
        """Names of programs by cell."""
        return {cell: name for name, cell in self.programs.items()}


def build(seed: int) -> World:
    """The world at genesis; the same for the same seed.

    Keys have 512 leaves: more transactions than an account sends in a season.
    """
    seeds = [bytes([seed % 256, number]) * 16 for number in range(len(PEOPLE))]
    keys = keygen(seeds, KEY_HEIGHT)
    genesis = Genesis(CHAIN_ID, BASE_FEE)
    people, secret = {}, dict[int, SecretKey]()
    for name, key in zip(PEOPLE, keys, strict=True):
        people[name] = genesis.add(Purse(key.public_key.owner(), 20 * COIN))
        secret[people[name]] = key
    layout = genesis.staking(RULES, owner_cell(people["issuer"]))
    programs = {"staking": layout.program}
    programs["token"] = genesis.program(lambda cell: token.build(people["issuer"]))
    asset = programs["token"]
    holders = (*TRADERS, *OTHERS)
    tokens = {name: genesis.add(Purse(owner_cell(people[name]), 0, asset=asset)) for name in holders}
    feeds = [people[name] for name in FEEDS]
    programs["oracle"] = genesis.program(lambda cell: oracle.build(asset, feeds, POST_AGE))
    programs["amm"] = genesis.program(lambda cell: amm.build())
    price = oracle.price_cell(programs["oracle"])
    programs["lending"] = genesis.program(lambda cell: lending.build(price, asset, LENDING))
    programs["options"] = genesis.program(lambda cell: options.build())
    programs["auction"] = genesis.program(
        lambda cell: top.build(layout.income, ROUND_SLOTS, DEPOSIT, PENALTY)
    )
    return World(Chain(genesis.ledger(), secret, L1_RATE), people, tokens, layout, programs)
