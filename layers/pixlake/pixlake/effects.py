"""The effects of an execution on the tables, in words."""

from collections.abc import Mapping
from datetime import datetime

from pixlake.messages import Effect

KINDS = {
    "new": "new",
    "replaced": "replaced",
    "unchanged": "unchanged",
    "older": "older than the lake's",
    "removed": "removed",
}
"""The counts of whole rows in an `Effect`, with their words."""
_OLDER = {"predictions": "older than the lake's, made without the image, or of a record's image by itself"}
_CHANGED = {"records": "with other images", "embeddings": "of another record"}


def describe_effect(table: str, effect: Effect) -> str:
    """The counts above zero; empty where there are none."""
    kinds = {**KINDS, "older": _OLDER.get(table, KINDS["older"])}
    counts = [(getattr(effect, name), words) for name, words in kinds.items()]
    counts.append((effect.changed, _CHANGED.get(table, "changed")))
    return ", ".join(f"{count:,} {words}" for count, words in counts if count)


def describe_effects(effects: Mapping[str, Effect]) -> str:
    """One line for all tables; empty where there is nothing to say."""
    some = [f"{table} {words}" for table, effect in effects.items() if (words := describe_effect(table, effect))]
    return "; ".join(filter(None, [describe_unchanged(effects).lower(), *some]))


def describe_unchanged(effects: Mapping[str, Effect]) -> str:
    """The reason why nothing changed; empty where something did."""
    total = {name: sum(getattr(effect, name) for effect in effects.values()) for name in Effect.__struct_fields__}
    if any(total[name] for name in ("new", "replaced", "removed", "changed")):
        return ""
    if total["older"]:
        return f"Nothing, for the lake has {'these rows or ' if total['unchanged'] else ''}newer rows"
    return "Nothing, for the lake has these rows" if total["unchanged"] else ""


def explain_older(effects: Mapping[str, Effect], uploaded_at: str) -> str:
    """The time by which an upload's rows are older than the lake's, an ISO 8601 time; empty where none is."""
    if not uploaded_at or not any(effects[table].older for table in effects.keys() & {"records", "embeddings"}):
        return ""
    return (
        f"Uploaded {datetime.fromisoformat(uploaded_at):%Y-%m-%d %H:%M:%S} UTC, on a laptop the time of its newest"
        " file: newer rows of the lake stay. If this upload is the newer one, `touch` its file and run it again"
    )
