"""The effects of an execution on the tables, in words."""

from collections.abc import Mapping

from pixlake.messages import Effect

KINDS = {
    "new": "new",
    "replaced": "replaced",
    "unchanged": "unchanged",
    "older": "older than the lake's",
    "removed": "removed",
}
"""The counts of whole rows in an `Effect`, with their words."""
_CHANGED = {"records": "with other images", "embeddings": "of another record"}


def describe_effect(table: str, effect: Effect) -> str:
    """The counts above zero; empty where there are none."""
    counts = [(getattr(effect, name), words) for name, words in KINDS.items()]
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
        return "Nothing, for the lake has newer rows"
    return "Nothing, for the lake had this upload before" if total["unchanged"] else ""
