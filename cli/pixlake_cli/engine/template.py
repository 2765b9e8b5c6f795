"""The parts of template.yaml that the engine runs: functions, the state machine, rules that invoke functions.

The template stays the one place for a function's environment, memory and timeout. The engine fills in only the values
that CloudFormation itself would know (a bucket's name, an ARN).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pixlake.errors import BadRequest

try:
    # parses template.yaml in a sixth of the time
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

REGION, ACCOUNT = "us-east-1", "123456789012"
PSEUDO_PARAMETERS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "pixlake",
}
ABSENT = object()
FUNCTION, MACHINE, RULE = "AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::Events::Rule"
RETRIES = 2  # Lambda's own, of an asynchronous invocation


@dataclass(frozen=True)
class Function:
    """One function of the template. `timeout` is in seconds, `memory` in MiB, `folder` holds its code; `retries` are of
    asynchronous invocations.

    `image` is a container that a parameter names, not built here: on a laptop the Python that runs the function.
    """

    name: str
    folder: Path
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str]
    image: str = ""
    retries: int = RETRIES

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True)
class Rule:
    """A rule of EventBridge: events that match `pattern` go, as they are, to the functions of these logical names."""

    pattern: Mapping[str, Any]
    functions: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """The functions by logical name; the state machine by its own, with its file and substitutions; the rules."""

    functions: Mapping[str, Function]
    machine: str
    definition: Path
    substitutions: Mapping[str, str]
    rules: tuple[Rule, ...]


def parse_yaml(text: str) -> Any:
    """A YAML document of plain values."""
    return yaml.load(text, _SafeLoader)


class TemplateLoader(_SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is read as `{"Ref": "x"}`, `!Sub x` as `{"Fn::Sub": "x"}`."""


def _short_form(loader: TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


TemplateLoader.add_multi_constructor("!", _short_form)


class Resolver:
    """CloudFormation's intrinsic functions over one template, with parameters at their defaults where not given.

    A resource's Ref and Arn become the engine's names for it: those in `names`, else its logical name.
    """

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], names: Mapping[str, str]) -> None:
        declared = template.get("Parameters", {})
        if unknown := set(parameters) - set(declared):
            raise BadRequest(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
        defaults = {name: str(value["Default"]) for name, value in declared.items() if "Default" in value}
        self._references = {**PSEUDO_PARAMETERS, **defaults, **parameters, **names}
        self._conditions = template.get("Conditions", {})
        self._mappings = template.get("Mappings", {})

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced by its result; `AWS::NoValue` leaves out its key."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in ("Ref", "Condition") or str(name).startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not ABSENT}

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return ABSENT if argument == "AWS::NoValue" else self._reference(argument)
            case "Condition":
                return self.resolve(self._conditions[argument])
            case "Fn::GetAtt":
                return self._attribute(argument if isinstance(argument, str) else ".".join(argument))
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Join":
                separator, parts = argument
                return separator.join(str(part) for part in self.resolve(parts))
            case "Fn::FindInMap":
                table, first, second = self.resolve(argument)
                return self._mappings[table][first][second]
            case "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self.resolve(self._conditions[condition]) else otherwise)
        return self._decide(name, self.resolve(argument))

    def _decide(self, name: str, values: list[Any]) -> bool:
        match name:
            case "Fn::Equals":
                return bool(values[0] == values[1])
            case "Fn::Not":
                return not values[0]
            case "Fn::And":
                return all(values)
            case "Fn::Or":
                return any(values)
        raise BadRequest(f"template.yaml uses {name}, which the laptop engine does not know")

    def _reference(self, name: str) -> str:
        """SAM's `Function.Version` and `Function.Alias` are the function here, which has one version."""
        function, _, of = name.partition(".")
        return self._attribute(f"{function}.Arn") if of in ("Version", "Alias") else self._references.get(name, name)

    def _attribute(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        if attribute == "Arn" and name.endswith("Function"):
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        return self._references.get(path, path)

    def _substitute(self, argument: Any) -> str:
        text, local = argument if isinstance(argument, list) else (argument, {})
        values = self.resolve(local)

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return str(values[name])
            return self._attribute(name) if "." in name else str(self._call("Ref", name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", replace, text)


def load(path: Path, parameters: Mapping[str, str], names: Mapping[str, str]) -> Deployment:
    """Read the template at `path` with these parameters; `names` are the resources that the engine stands in for."""
    try:
        template = yaml.load(path.read_text("utf-8"), TemplateLoader)
    except FileNotFoundError as error:
        raise BadRequest(f"{path}, which `pixlake run` follows, does not exist: install Pixlake again") from error
    machines = [name for name, it in template["Resources"].items() if it["Type"] == MACHINE]
    resolver = Resolver(template, parameters, {**{name: machine_arn(name) for name in machines}, **names})
    if not machines:
        raise BadRequest(f"{path} has no state machine")
    defaults = template.get("Globals", {}).get("Function", {})
    functions = {
        name: _function(name, path.parent, _merged(defaults, properties), resolver)
        for name, properties in _resources(template, FUNCTION, resolver)
    }
    # an upload starts the first, which starts the others; those stay on AWS
    machine = template["Resources"][machines[0]]["Properties"]
    return Deployment(
        functions=functions,
        machine=machines[0],
        definition=path.parent / machine["DefinitionUri"],
        substitutions=resolver.resolve(machine["DefinitionSubstitutions"]),
        rules=tuple(_rules(template, functions, resolver)),
    )


def _resources(template: Mapping[str, Any], kind: str, resolver: Resolver) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and properties of the resources of one type whose conditions are met."""
    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        if resource["Type"] == kind and (condition is None or resolver.resolve({"Condition": condition})):
            yield name, resource["Properties"]


def _rules(template: Mapping[str, Any], functions: Mapping[str, Function], resolver: Resolver) -> Iterator[Rule]:
    """The rules whose targets are functions."""
    names = {function.arn: name for name, function in functions.items()}
    for _, properties in _resources(template, RULE, resolver):
        arns = [resolver.resolve(target["Arn"]) for target in properties["Targets"]]
        if targets := tuple(names[arn] for arn in arns if arn in names):
            yield Rule(resolver.resolve(properties["EventPattern"]), targets)


def machine_arn(name: str) -> str:
    """The ARN by which the engine knows a state machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def _merged(defaults: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """A function's properties over the globals, as SAM merges them: variables one by one, the rest whole."""
    variables = [part.get("Environment", {}).get("Variables", {}) for part in (defaults, properties)]
    return {**defaults, **properties, "Environment": {"Variables": {**variables[0], **variables[1]}}}


def _function(name: str, root: Path, properties: Mapping[str, Any], resolver: Resolver) -> Function:
    wanted = ("Handler", "Timeout", "MemorySize", "Environment", "ImageUri", "EventInvokeConfig")
    resolved = resolver.resolve({key: properties[key] for key in wanted if key in properties})
    state = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Function")).lower()
    return Function(
        name=name,
        folder=root / "functions" / state,
        handler=resolved.get("Handler", "app.handler"),
        timeout=float(resolved.get("Timeout", 3)),
        memory=int(resolved.get("MemorySize", 128)),
        environment={key: str(value) for key, value in resolved["Environment"]["Variables"].items()},
        image=resolved.get("ImageUri", ""),
        retries=int(resolved.get("EventInvokeConfig", {}).get("MaximumRetryAttempts", RETRIES)),
    )
