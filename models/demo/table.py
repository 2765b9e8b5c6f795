"""The columns of the demo's table, the same for training and for the sample."""

from demo.unicode import JOINER, Emoji, Properties

ID, LABEL = "code", "group"
NUMERICAL = ("version", "code_point", "code_points", "joiners", "unicode_age")
CATEGORICAL = ("block", "category", "east_asian_width", "presentation", "modifier_base")
NOT_INPUTS = ("name", "subgroup", "keywords")  # `subgroup` gives the group away; the others are free text
COLUMNS = (ID, "name", LABEL, "subgroup", "keywords", *NUMERICAL, *CATEGORICAL)


def describe_emoji(emoji: Emoji, properties: Properties) -> dict[str, str]:
    """One row of `COLUMNS` as text; the properties are those of the first code point, empty where it has none."""
    first = emoji.points[0]
    return {
        ID: emoji.code,
        "name": emoji.name,
        LABEL: emoji.group,
        "subgroup": emoji.subgroup,
        "keywords": ", ".join(emoji.keywords),
        "version": emoji.version,
        "code_point": str(first),
        "code_points": str(len(emoji.points)),
        "joiners": str(emoji.points.count(JOINER)),
        "unicode_age": properties.age(first) or "",
        "block": properties.block(first) or "",
        "category": properties.category.get(first, ""),
        "east_asian_width": properties.width(first) or "",
        "presentation": "emoji" if properties.presentation(first) else "text",
        "modifier_base": properties.modifier_base(first) or "no",
    }
