"""Every statement that Athena is given, by where it comes from."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from pixlake.bundles.folders import read_folder
from pixlake.iceberg.statements import write_withdrawal
from pixlake.messages import CompactAnswer, Effect, ItemList, Run, SplitAnswer, TableStatements
from pixlake.parts.handover import MERGED, list_statements
from pixlake.report.next_steps import write_changes_query, write_rejects_query, write_rows_query
from pixlake.schemas import REJECTS
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress
from pixlake_cli.engine.summary import Ended
from pixlake_cli.labels import write_sql
from tests.project import ROOT, read_template, saved_queries

RUN = Run("it's", "my pets", "s3://uploads/a.zip", "0" * 16, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
SPLIT = SplitAnswer(ItemList("", 0), 1, 1, 1, 0, 0, {}, "id", "")
_LABELS = re.compile(r"\$\(pixlake models labels (\S+) --sql [^)]*\)")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def written() -> dict[str, TableStatements]:
    """The statements of an execution, by table and their place among them."""
    listed = list_statements(RUN, "s3://lake", {name: f"parts/{name}" for name in MERGED})
    withdrawal = write_withdrawal(REJECTS, RUN, "s3://lake", "withdrawn/rejects")
    return {f"{table.table} {place}": table for place, table in enumerate((*listed, withdrawal))}


def commands(path: Path) -> Iterator[str]:
    """The SQL of each `pixlake query "…"` that a page shows, without the end that asks for lines."""
    yield from (expand(sql.removesuffix(r"\G")) for sql in re.findall(r'pixlake query "([^"]+)"', path.read_text()))


def expand(sql: str) -> str:
    """The SQL with what `$(pixlake models labels …)` prints of a model that ships."""
    return _LABELS.sub(lambda found: write_sql(read_folder((ROOT / "bundles" / found[1]).as_uri())), sql)


def summaries() -> Iterator[str]:
    """The queries that a run names at its end."""
    uploaded = "2026-01-01T00:00:00+00:00"
    for output in ({"predicted": 1}, {"records": 1}, {"embedded": 1}, {"rejected": 1, "uploaded_at": uploaded}):
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
    return found | {"make demo": demo} | pages()


def pages() -> dict[str, str]:
    """The queries that a report names."""
    run = structs.replace(RUN, experiment_id="my-pets")
    compact = CompactAnswer(1, 1, 1, 1, 1, 0, effects={"records": Effect(replaced=1)})
    return {
        "report rows": write_rows_query(run, SPLIT, "pixlake"),
        "report images": write_rows_query(run, structs.replace(SPLIT, records=0), "pixlake"),
        "report rejects": write_rejects_query(run, "pixlake"),
        "report changes": write_changes_query(run, compact, datetime(2026, 1, 2, tzinfo=UTC), "pixlake"),
    }
