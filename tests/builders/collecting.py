"""The nested application that gathers loose images, as template.yaml makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixlake_cli.engine.template import ACCOUNT, REGION, Function, Resolver, _function
from tests.project import ROOT, read_template

APPLICATION = "LooseImages"


@dataclass(frozen=True)
class Application:
    """`resources` are the properties of the application's own template, with every parameter that it is given."""

    template: dict[str, Any]
    resolver: Resolver

    def properties(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.resolver.resolve(self.template["Resources"][name]["Properties"])
        return found

    @property
    def function(self) -> Function:
        return _function(
            "CollectFunction", ROOT, self.template["Resources"]["CollectFunction"]["Properties"], self.resolver
        )


def location() -> Path:
    """Of its template."""
    found: str = read_template()["Resources"][APPLICATION]["Properties"]["Location"]
    return ROOT / found


def read_application(names: Mapping[str, str]) -> Application:
    """With the stack's defaults; `names` are what stands for its resources."""
    ours = read_template()
    given = Resolver(ours, {}, names).resolve(ours["Resources"][APPLICATION]["Properties"]["Parameters"])
    template = read_template(location())
    queues = {f"{queue}.Arn": queue_arn(queue) for queue in ("GatheringQueue", "UncollectedQueue")}
    return Application(template, Resolver(template, given, queues))


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
