"""`pixlake models train`: from a table with images to a pair of bundles with their metrics."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixlake_models.commands.environment import TorchCommand
from pixlake_models.commands.export import derive_name

if TYPE_CHECKING:
    from pixlake_models.training.material import Material
    from pixlake_models.training.pair import Figures
    from pixlake_models.training.results import Result

BACKBONE = "mobilenetv3_large_100"
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_f1": "macro F1",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "expected_calibration_error": "calib. error",
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "r2": "R²",
}
_WHERE = {
    "heldout": "held out",
    "heldout_with_image": "held out, with image",
    "heldout_majority_class": "majority class",
    "heldout_mean": "the mean",
}


@click.command(cls=TorchCommand)
@click.argument("upload", metavar="TABLE|FOLDER|ZIP", type=click.Path(exists=True, path_type=Path))
@click.option("--label", metavar="COLUMN", help="Column to learn. Default: label_column in the upload's pixlake.json.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the first bundle.")
@click.option("--backbone", metavar="NAME|FOLDER", default=BACKBONE, show_default=True, help="The image network.")
@click.option("--untrained", is_flag=True, help="Start the image network from random weights; needs no download.")
@click.option("--image-size", type=click.IntRange(16, 1024), metavar="PIXELS", help="Default: as the network has it.")
@click.option("--images", type=click.IntRange(1, 20), help="Images used of a record. Default: all, up to 4.")
@click.option("--text-backbone", type=_FOLDER, metavar="FOLDER", help="A transformers model, to learn from texts too.")
@click.option("--table-only", is_flag=True, help="Train only the model without images.")
@click.option("--problem", type=click.Choice(["binary", "multiclass", "regression"]), help="Default: by the labels.")
@click.option("--categorical", multiple=True, metavar="COLUMN", help="Numbers that are categories. Repeatable.")
@click.option("--ignore", multiple=True, metavar="COLUMN", help="Left out of training. Repeatable.")
@click.option("--id-column", metavar="COLUMN", help="Default: found by looking, as in a run.")
@click.option("--image-column", metavar="COLUMN", help="Default: found by looking, as in a run.")
@click.option("--holdout", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True, help="Share held out.")
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="For each model.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), metavar="FOLDER", help="Keep AutoGluon's own folders there.")
def train(upload: Path, output: Path | None, **options: Any) -> None:
    """Train two models on the records of a table with images, and make bundles of them.

    The first takes a record's images and table, the second, for records without image, the table alone. Rows,
    images, ids and options of TABLE|FOLDER|ZIP are read as `pixlake run` reads them; images of a TABLE lie in its
    folder or below. Part of the records is held out, and both models are measured on it.

    The bundles are written to FOLDER and FOLDER-table, plots and every held-out answer to FOLDER-evaluation; the
    default is a FOLDER here, named after the upload. A bundle that does not answer as AutoGluon does is not written.

    \b
      pixlake models train pets.csv --label breed
      pixlake models train samples/emoji.zip --backbone resnet10t --untrained --image-size 64 --ignore subgroup
      pixlake models train pets/ --label adopted --backbone ./my-resnet --text-backbone ./my-electra --epochs 5
    """
    target = (output or Path(derive_name(upload.resolve().stem))).resolve()
    with tempfile.TemporaryDirectory(prefix="pixlake-train-") as work:
        # AutoGluon takes long to load, so a table's faults are reported before
        material = _gather(upload, options, Path(work))
        result = _train(material, upload, options, target, Path(work))
    for line in _format_figures(result.figures):
        click.echo(line)
    for line in _format_use(result, material.records.label, output or Path(target.name)):
        click.echo(line)


def _gather(upload: Path, options: dict[str, Any], work: Path) -> "Material":
    from pixlake.messages import Options
    from pixlake_models.training.columns import Wishes
    from pixlake_models.training.material import Request, gather

    request = Request(
        upload=upload,
        options=Options(options["id_column"], options["image_column"], options["label"]),
        wishes=Wishes(options["categorical"], options["ignore"], options["text_backbone"] is not None),
        problem=options["problem"],
        holdout=options["holdout"],
        seed=options["seed"],
        pictures=not options["table_only"],
    )
    material = gather(request, work)
    for remark in material.remarks():
        _say(remark)
    return material


def _train(material: "Material", upload: Path, options: dict[str, Any], target: Path, work: Path) -> "Result":
    from pixlake_models.silence import silenced

    with silenced():
        from pixlake_models.training.session import Network, Session, train_pair
        from pixlake_models.training.train import Recipe

    network = Network(options["backbone"], not options["untrained"], options["image_size"], options["images"])
    minutes = options["time_limit"]
    session = Session(
        material=material,
        network=None if options["table_only"] else network,
        recipe=Recipe(
            epochs=options["epochs"],
            seed=options["seed"],
            time_limit=minutes and minutes * 60,
            text_backbone=options["text_backbone"],
        ),
        source={"origin": f"`pixlake models train`, with AutoGluon, on {upload.name}"},
        target=target,
        trained=options["keep"] or work / "trained",
        work=work,
    )
    with silenced():
        return train_pair(session, _say)


def _format_figures(figures: "Mapping[str, Figures]") -> Iterator[str]:
    """A line for each model and each part of the rows, a column for each figure."""
    lines = [(f"{model}, {_WHERE[where]}", found) for model, parts in figures.items() for where, found in parts.items()]
    columns = [name for name in _SHOWN if any(name in found for _, found in lines)]
    width = max(len(name) for name, _ in lines)
    yield " ".join([f"{'':{width}}", "  rows", *(f"{_SHOWN[name]:>12}" for name in columns)])
    for name, found in lines:
        values = (f"{found[column]:12.4g}" if column in found else " " * 12 for column in columns)
        yield " ".join([f"{name:{width}}", f"{found['rows']:6,.0f}", *values]).rstrip()


def _format_use(result: "Result", label: str, output: Path) -> Iterator[str]:
    """The bundles written, and the commands to use them."""
    names = {role: model.partition("@")[0] for role, model in result.models.items()}
    yield ""
    for model in result.models.values():
        yield f"{model} is in {output.with_name(model.partition('@')[0])}"
    yield f"Plots and answers are in {output.with_name(result.evaluation.name)}"
    yield "To use them, in a lake and by an upload's pixlake.json:"
    for name in names.values():
        yield f"  pixlake models push {output.with_name(name)} --lake LAKE"
    yield f"  {json.dumps({'label_column': label, 'classifier': names}, ensure_ascii=False)}"


def _say(line: str) -> None:
    click.echo(line, err=True)
