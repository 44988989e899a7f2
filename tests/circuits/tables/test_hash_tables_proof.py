"""The three tables under the real prover and the reference verifier."""

import pytest

from prover.air.air import AirSystem, PublicTuple
from prover.commit import setup
from prover.params import ProofParams
from prover.prove import ProvingError, prove
from prover.shape import Shape
from tests.circuits.tables.sample import AIRS, make_sample
from verifier.stark import verify as reference
from verifier.stark.reasons import VerificationError

FEW_QUERIES = ProofParams(log_blowup=2, num_queries=4, query_grinding_bits=8, batching_grinding_bits=6)


def make_key(sample):
    interactions = [i for air in AIRS.values() for i in air.record.interactions]
    by_name = {interaction.relation.name: interaction.relation for interaction in interactions}
    outside = tuple(
        PublicTuple(by_name[name], tuple(("constant", v) for v in values), count)
        for (name, values), count in sample.outside.items()
    )
    system = AirSystem(tuple(AIRS.values()), 0, outside)
    logs = {name: table.shape[1].bit_length() - 1 for name, table in sample.tables.items()}
    return setup(system, Shape.of(system, logs), FEW_QUERIES)


def test_proof_of_a_valid_statement_is_accepted():
    sample = make_sample()
    key = make_key(sample)
    proof = prove(key, sample.tables, []).encode()
    reference.verify(key.verifying_key, proof, [], min_bits=0.0)


def test_proof_with_a_false_chain_end_is_refused():
    sample = make_sample()
    key = make_key(sample)
    sample.tables["chain"][0, 70] ^= 1
    with pytest.raises(ProvingError):
        prove(key, sample.tables, [])
    proof = prove(key, sample.tables, [], check_self=False).encode()
    with pytest.raises(VerificationError):
        reference.verify(key.verifying_key, proof, [], min_bits=0.0)
