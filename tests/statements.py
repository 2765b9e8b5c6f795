"""Every statement that Athena is given, by where it comes from."""

import re
from collections.abc import Iterator
from pathlib import Path

from pixlake.iceberg.statements import write_withdrawal
from pixlake.messages import Run, TableStatements
from pixlake.parts.handover import MERGED, list_statements
from pixlake.schemas import REJECTS
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress
from pixlake_cli.engine.summary import Ended
from tests.project import ROOT, read_template, saved_queries

RUN = Run("it's", "my pets", "s3://uploads/a.zip", "0" * 16, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGE = ROOT / "layers/pixlake/pixlake/report/templates/page.html"


def written() -> dict[str, TableStatements]:
    """The statements of an execution, by table and their place among them."""
    listed = list_statements(RUN, "s3://lake", {name: f"parts/{name}" for name in MERGED})
    withdrawal = write_withdrawal(REJECTS, RUN, "s3://lake", "withdrawn/rejects")
    return {f"{table.table} {place}": table for place, table in enumerate((*listed, withdrawal))}


def commands(path: Path) -> Iterator[str]:
    """The SQL of each `pixlake query "…"` that a page shows, without the end that asks for lines."""
    yield from (sql.removesuffix(r"\G") for sql in re.findall(r'pixlake query "([^"]+)"', path.read_text()))


def summaries() -> Iterator[str]:
    """The queries that a run names at its end."""
    for output in ({"predicted": 1}, {"records": 1}, {"embedded": 1}):
        outcome = Outcome("e", "SUCCEEDED", output)
        ended = Ended(outcome, Progress({}, lambda _: None), "my-pets", Path("/lake"), 1.0)
        yield from re.findall(r'pixlake query "([^"]+)"', ended.summary())


def statements() -> dict[str, str]:
    """All that Trino's grammar has, by where they come from."""
    found = saved_queries(read_template())
    found |= {f"merge {name}": it.merge for name, it in written().items()}
    for page in PAGES:
        found |= {f"{page.name} {number}": sql for number, sql in enumerate(commands(page))}
    found |= {f"summary {number}": sql for number, sql in enumerate(summaries())}
    (demo,) = re.findall(r"^DEMO_QUERY := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (report,) = re.findall(r"<code>(SELECT .+?)</code>", PAGE.read_text())
    return found | {"make demo": demo, "report": re.sub(r"\{\{.+?\}\}", "x", report)}
