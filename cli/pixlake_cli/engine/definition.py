"""The state machine's definition, as the interpreter on a laptop takes it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pixlake.errors import BadRequest
from pixlake_cli.engine.template import parse_yaml

# moto recurses by one Python frame for each item of a thread, so 16 threads reach about 15,000 items.
MAP_THREADS = 16


def load(path: Path, substitutions: Mapping[str, str]) -> dict[str, Any]:
    """The definition at `path` with `${Name}` replaced as CloudFormation does it."""

    def replace(match: re.Match[str]) -> str:
        if match[1] not in substitutions:
            raise BadRequest(f"{path} uses ${{{match[1]}}}, which template.yaml does not substitute")
        return substitutions[match[1]]

    text = re.sub(r"\$\{(\w+)\}", replace, path.read_text("utf-8"))
    definition: dict[str, Any] = parse_yaml(text)
    return definition


def to_json(definition: Mapping[str, Any]) -> str:
    """The definition as text for moto, which differs from AWS in four numbers.

    Its grammar takes the tolerated percentage only as a float. It starts as many threads as a Map's MaxConcurrency
    allows, needed or not. A Map's invocations wait for cores here, time that TimeoutSeconds must not count: they end by
    their function's own Timeout alone. The execution has no TimeoutSeconds either, for a laptop may take its time.
    """
    return json.dumps({key: value for key, value in _adapted(definition).items() if key != "TimeoutSeconds"})


def _adapted(value: Any, in_map: bool = False) -> Any:
    if isinstance(value, list):
        return [_adapted(item, in_map) for item in value]
    if not isinstance(value, dict):
        return value
    adapted = {key: _adapted(item, in_map or key == "ItemProcessor") for key, item in value.items()}
    if "ToleratedFailurePercentage" in adapted:
        adapted["ToleratedFailurePercentage"] = float(adapted["ToleratedFailurePercentage"])
    if "MaxConcurrency" in adapted:
        adapted["MaxConcurrency"] = min(adapted["MaxConcurrency"], MAP_THREADS)
    if in_map:
        adapted.pop("TimeoutSeconds", None)
    return adapted


def functions_in_order(definition: Mapping[str, Any]) -> list[str]:
    """The functions that an execution without failure invokes, in order of first invocation."""
    states, waiting, seen, found = definition["States"], [definition["StartAt"]], set(), []
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        state = states[name]
        found.extend(_invoked(state))
        waiting.extend(_next(state))
    return list(dict.fromkeys(found))


def _next(state: Mapping[str, Any]) -> Iterator[str]:
    for choice in state.get("Choices", []):
        yield choice["Next"]
    yield from (state[key] for key in ("Next", "Default") if key in state)


def _invoked(state: Mapping[str, Any]) -> list[str]:
    if "ItemProcessor" in state:
        return functions_in_order(state["ItemProcessor"])
    if "FunctionName" not in state.get("Parameters", {}):
        return []
    return [str(state["Parameters"]["FunctionName"]).rpartition(":")[2]]


def states_by_function(definition: Mapping[str, Any]) -> dict[str, str]:
    """The state of the outer machine in which each function is invoked, in the order written."""
    return {function: name for name, state in definition["States"].items() for function in _invoked(state)}
