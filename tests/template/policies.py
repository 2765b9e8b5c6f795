"""What the role of a function or a state machine allows: statements of its own, and of policies that several share."""

from typing import Any

MANAGED = "AWS::IAM::ManagedPolicy"


def statements_of(template: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """All statements of the role that SAM makes for the function or state machine of this logical name."""
    found: list[dict[str, Any]] = []
    for policy in template["Resources"][name]["Properties"]["Policies"]:
        found += _shared(template, policy["Ref"]) if "Ref" in policy else policy["Statement"]
    return found


def _shared(template: dict[str, Any], name: str) -> list[dict[str, Any]]:
    resource = template["Resources"][name]
    assert resource["Type"] == MANAGED
    statements: list[dict[str, Any]] = resource["Properties"]["PolicyDocument"]["Statement"]
    return statements
