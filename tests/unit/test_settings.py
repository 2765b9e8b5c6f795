"""Settings fail at start, and name the variable."""

from dataclasses import fields

import pytest

from pixlake.errors import BadRequest
from pixlake.settings import CompactSettings, PlanSettings, from_environment


def test_a_field_is_read_from_the_variable_of_its_name_in_upper_case() -> None:
    settings = from_environment(PlanSettings, {"LAKE_URI": "file:///lake", "MAX_RATIO": "7"})
    assert (settings.lake_uri, settings.max_ratio) == ("file:///lake", 7)


def test_an_unset_variable_keeps_the_default() -> None:
    settings = from_environment(PlanSettings, {"LAKE_URI": "file:///lake"})
    assert settings == PlanSettings(lake_uri="file:///lake")


@pytest.mark.parametrize("variable", ["LAKE_URI", "CATALOG_URI"])
def test_a_missing_variable_is_named(variable: str) -> None:
    environment = {"LAKE_URI": "file:///lake", "CATALOG_URI": "glue"}
    del environment[variable]
    with pytest.raises(BadRequest, match=variable):
        from_environment(CompactSettings, environment)


@pytest.mark.parametrize("field", [field.name for field in fields(PlanSettings) if field.type in (int, "int")])
def test_a_number_that_does_not_parse_is_named(field: str) -> None:
    with pytest.raises(BadRequest, match=f"{field.upper()} must be int: 'many'"):
        from_environment(PlanSettings, {"LAKE_URI": "file:///lake", field.upper(): "many"})
