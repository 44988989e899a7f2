import pytest

from tests.bitcoin.vectors import load
from verifier.bitcoin.address import (
    MAIN,
    REGTEST,
    TESTNET,
    AddressError,
    Network,
    address_script,
    bech32_decode,
    script_of,
    secret_key,
    segwit_address,
    segwit_script,
)

NETWORKS = {"main": MAIN, "test": TESTNET, "testnet4": TESTNET, "signet": TESTNET, "regtest": REGTEST}
BECH32M = load("bip350_bech32m.json")


@pytest.mark.parametrize("text", BECH32M["valid_strings"])
def test_bech32m_strings(text: str) -> None:
    assert bech32_decode(text)[2]


@pytest.mark.parametrize("case", BECH32M["invalid_strings"], ids=lambda case: case["reason"])
def test_wrong_bech32m_strings(case: dict[str, str]) -> None:
    with pytest.raises(AddressError):
        bech32_decode(case["string"])


@pytest.mark.parametrize("case", BECH32M["valid_addresses"])
def test_segwit_addresses_both_ways(case: dict[str, str]) -> None:
    script = segwit_script(case["address"])
    assert script.hex() == case["scriptPubKey"]
    network = next(n for n in (MAIN, TESTNET) if case["address"].lower().startswith(n.bech32 + "1"))
    assert segwit_address(script, network) == case["address"].lower()


@pytest.mark.parametrize("case", BECH32M["invalid_addresses"], ids=lambda case: case["reason"])
def test_wrong_segwit_addresses(case: dict[str, str]) -> None:
    with pytest.raises(AddressError):
        segwit_script(case["string"])


@pytest.mark.parametrize("text, payload, about", load("key_io_valid.json"))
def test_core_addresses_and_keys(text: str, payload: str, about: dict) -> None:
    network = NETWORKS[about["chain"]]
    if about["isPrivkey"]:
        secret, compressed = secret_key(text, network)
        assert (secret.hex(), compressed) == (payload, about["isCompressed"])
        with pytest.raises(AddressError):
            address_script(text, network)
    else:
        assert address_script(text, network).hex() == payload
        with pytest.raises(AddressError):
            secret_key(text, network)
        if about.get("tryCaseFlip"):
            assert address_script(text.swapcase(), network).hex() == payload


@pytest.mark.parametrize("text", [case[0] for case in load("key_io_invalid.json")])
@pytest.mark.parametrize("network", (MAIN, TESTNET, REGTEST), ids=lambda n: n.name)
def test_wrong_core_addresses_and_keys(text: str, network: Network) -> None:
    with pytest.raises(AddressError):
        address_script(text, network)
    with pytest.raises(AddressError):
        secret_key(text, network)


def test_an_address_of_another_network_is_refused() -> None:
    address = BECH32M["valid_addresses"][0]["address"]
    with pytest.raises(AddressError):
        segwit_script(address, REGTEST)


def test_a_script_may_be_given_in_hexadecimal() -> None:
    assert script_of("5120" + "00" * 32) == bytes.fromhex("5120" + "00" * 32)
    with pytest.raises(AddressError):
        script_of("hello")


@pytest.mark.parametrize("script", ("", "51", "5101ab", "0015" + "00" * 21, "5029" + "00" * 41, "6a0200"))
def test_other_scripts_have_no_segwit_address(script: str) -> None:
    raw = bytes.fromhex(script)
    if raw[:1] == b"\0" and len(raw) == 23:
        with pytest.raises(AddressError):
            segwit_script(segwit_address(raw, MAIN))
        return
    with pytest.raises(AddressError):
        segwit_address(raw, MAIN)
