import json
from pathlib import Path

import pytest

from pixlake.errors import BadRequest
from pixlake_cli.engine import definition, template
from tests.project import ROOT

DEPLOYMENT = template.load(ROOT / "template.yaml", {}, {"LakeBucket": "lake"})
OURS = definition.load(DEPLOYMENT.definition, DEPLOYMENT.substitutions)


def test_functions_are_in_the_order_of_a_run_without_failure() -> None:
    found = [name.removesuffix("Function") for name in definition.functions_in_order(OURS)]
    assert found == ["Plan", "Extract", "Split", "Embed", "Classify", "Compact", "Report"]


def test_each_function_has_a_state() -> None:
    states = definition.states_by_function(OURS)
    assert states["EmbedFunction"] == states["ClassifyFunction"] == "Infer"
    assert set(states) == set(DEPLOYMENT.substitutions) & set(DEPLOYMENT.functions)


def test_only_four_numbers_differ_from_the_deployed_definition() -> None:
    adapted = json.loads(definition.to_json(OURS))
    assert type(adapted["States"]["Infer"]["ToleratedFailurePercentage"]) is float
    for name in ("Extract", "Infer"):
        ours, here = OURS["States"][name], adapted["States"][name]
        assert here["MaxConcurrency"] == definition.MAP_THREADS
        here["MaxConcurrency"] = ours["MaxConcurrency"]
        for child, state in here["ItemProcessor"]["States"].items():
            assert "TimeoutSeconds" not in state
            if "TimeoutSeconds" in ours["ItemProcessor"]["States"][child]:
                state["TimeoutSeconds"] = ours["ItemProcessor"]["States"][child]["TimeoutSeconds"]
    assert adapted == {key: value for key, value in OURS.items() if key != "TimeoutSeconds"}


def test_a_substitution_that_the_template_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "asl.yaml").write_text("StartAt: ${Nothing}")
    with pytest.raises(BadRequest, match="Nothing"):
        definition.load(tmp_path / "asl.yaml", {})
