"""The HTML page, from plain data.

Every text goes through Jinja2's escaping, and the page's content security policy forbids scripts and external assets:
names of files and labels come from whoever made the upload.
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from pixlake.effects import KINDS, describe_unchanged, explain_older
from pixlake.messages import CompactAnswer, PlanAnswer, Run, SplitAnswer
from pixlake.report.agreement import Agreement
from pixlake.report.causes import Cause
from pixlake.report.sheet import Tile
from pixlake.report.tallies import RejectGroup, SizeTally
from pixlake.report.timings import Step
from pixlake.report.unjoined import Unjoined
from pixlake.report.words import describe_seconds, describe_size, describe_time, shorten
from pixlake.settings import Device

# Keep the page small whatever the upload holds: a reason is a code, so there are few unless something is broken.
_MAX_GROUPS = 40
_MAX_LABELS = 25


@dataclass(frozen=True)
class Plot:
    """An SVG with its title, and a sentence on its sample where it does not show all."""

    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """The content of a successful execution's page."""

    run: Run
    plan: PlanAnswer
    split: SplitAnswer
    compact: CompactAnswer
    steps: list[Step]
    plots: list[Plot]
    sizes: SizeTally
    agreement: Agreement | None
    sample: list[Tile]
    least_certain: list[Tile]
    rejects: list[RejectGroup]
    written_at: datetime
    notice: str
    device: Device
    unjoined: Unjoined
    rows_query: str
    rejects_query: str
    changes_query: str = ""
    serve_command: str = ""
    warnings: tuple[str, ...] = ()
    unpredicted: str = ""

    @property
    def with_image(self) -> int:
        """How many records have an image that can be used."""
        return self.split.with_image if self.compact.with_image is None else self.compact.with_image

    @property
    def broken(self) -> int:
        """How many records have images, of which none can be used."""
        return self.split.with_image - self.with_image


@dataclass(frozen=True)
class FailurePage:
    """The content of a failed execution's page."""

    execution_id: str
    experiment_id: str
    upload_uri: str
    started_at: datetime
    ended_at: datetime
    cause: Cause


def render_page(page: Page) -> str:
    """The page of an execution that succeeded."""
    started_at = datetime.fromisoformat(page.run.started_at)
    return _template("page.html").render(
        page=page,
        rejects=page.rejects[:_MAX_GROUPS],
        more_rejects=page.compact.rejected - sum(group.count for group in page.rejects[:_MAX_GROUPS]),
        took=(page.written_at - started_at).total_seconds(),
        started_at=started_at,
        labels=page.agreement.by_label.most_common(_MAX_LABELS) if page.agreement else [],
        uploaded_at=datetime.fromisoformat(page.run.uploaded_at),
        effects=page.compact.effects,
        kinds=KINDS,
        unchanged=describe_unchanged(page.compact.effects),
        older=explain_older(page.compact.effects, page.run.uploaded_at),
    )


def render_failure(page: FailurePage) -> str:
    """The page of an execution that failed."""
    return _template("failure.html").render(page=page)


def _template(name: str) -> Template:
    return _environment().get_template(name)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "seconds": describe_seconds,
        "size": describe_size,
        "time": describe_time,
        "shorten": shorten,
        "share": lambda part, whole: f"{part / whole:.1%}",
        "drawing": Markup,
    }
    return environment
