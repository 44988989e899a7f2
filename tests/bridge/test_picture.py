from pathlib import Path

from verifier.bridge.game.picture import columns, label, picture, templates


def test_the_picture_in_the_docs_is_what_the_templates_draw() -> None:
    assert (Path(__file__).parents[2] / "docs" / "bridge.svg").read_text() == picture()


def test_the_graph_is_the_table_of_the_design() -> None:
    inputs = {template.name: [label(each) for each in template.inputs] for template in templates()}
    assert inputs == {
        "kickoff": ["F [O, all]"],
        "challenge": ["K0 [O, single, anyone can pay]"],
        "take1/vault": ["vault [P, all]", *(f"{k} [P, all], 432 blocks" for k in ("K0", "K1.0", "K2"))],
        "assert_timeout": ["K2 [P, single]", "K1.0 [P, none], 864 blocks"],
        "assert": ["K1.0 [P, all + wires]", "K2 [P, all]"],
        "open/1": ["C1 [O, single, anyone can pay]"],
        "close/1": ["C1 [O, all]", "R1.0 [P, all], 288 blocks"],
        "reveal/1": ["R1.0 [P, all + wires]"],
        "open_timeout/1": ["S [P, single]", "R1.0 [P, none], 720 blocks"],
        "disprove/0": ["S [P, single]", "D0 [P, none + leaf]"],
        "disprove/1": ["S [P, single]", "D1 [P, none + leaf]"],
        "take2/vault": ["vault [P, all]", "S [P, all], 3024 blocks"],
    }
    assert columns(templates())["disprove/1"][0] == 3
