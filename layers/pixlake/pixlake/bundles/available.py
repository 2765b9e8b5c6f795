"""Explains why an upload has no predictions, or has them from fewer columns than its model reads."""

from collections.abc import Collection, Iterator

from pixlake.bundles.folders import open_folder
from pixlake.bundles.predictors import PredictorManifest
from pixlake.bundles.roles import ORPHAN, WITH_IMAGE, WITHOUT_IMAGE, Model, list_bundles
from pixlake.errors import BadBundle, BadRequest

_MOST = 20  # models read and named: a lake may have hundreds
_COLUMNS = 5  # missing columns named
_ROWS = {WITH_IMAGE: "records with images", WITHOUT_IMAGE: "records without images", ORPHAN: "images without a record"}


def explain_unpredicted(lake: str, models: dict[str, Model]) -> str:
    """A sentence or two on why no row was given to a classifier, and how to name one."""
    if named := [f"{model.name} is for {_ROWS[role]}" for role, model in models.items() if role in _ROWS]:
        return f"Nothing was predicted: {', '.join(named)}, and the upload has none"
    there = _list_classifiers(lake)
    if not there:
        return (
            "Nothing was predicted: no classifier is named, and the lake has none;"
            " `pixlake models` makes them and puts them there"
        )
    listed = ", ".join(f"{name} ({kind})" for name, kind in there)
    name, kind = there[0]
    way = f'"classifier": {{"{ORPHAN if kind == "images" else WITH_IMAGE}": "{name}"}}'
    return f"Nothing was predicted: no classifier is named. The lake has {listed}; name one in pixlake.json: {{{way}}}"


def explain_missing_columns(models: dict[str, Model], columns: Collection[str]) -> Iterator[str]:
    """A sentence for each classifier that reads columns missing from the table's `columns`."""
    for name, reads in {model.name: model.columns for model in models.values()}.items():
        if lacking := [column for column in reads if column not in columns]:
            others = f" and {len(lacking) - _COLUMNS:,} more" if len(lacking) > _COLUMNS else ""
            yield (
                f"{name} reads {len(reads):,} columns, and the table lacks {', '.join(map(repr, lacking[:_COLUMNS]))}"
                f"{others}: it predicts as from empty cells"
            )


def _list_classifiers(lake: str) -> list[tuple[str, str]]:
    """The name and subject of each classifier; damaged bundles are left out."""
    found = []
    for name in list_bundles(lake)[:_MOST]:
        try:
            described = open_folder(lake, name).description
        except (BadBundle, BadRequest):
            continue
        if isinstance(described, PredictorManifest):
            found.append((name, "records" if described.columns else "images"))
        elif described.kind != "embedder":
            found.append((name, "images" if described.kind == "image_classifier" else "records"))
    return found
