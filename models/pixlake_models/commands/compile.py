"""`pixlake models compile`: a model of AutoGluon as a bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pixlake_models.commands.environment import TorchCommand

_WAY_OUT = "docs/models-compile.md says how to train one that is; docs/autogluon-container.md serves this one as it is"
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="compile", cls=TorchCommand)
@click.argument("folder", type=_FOLDER, metavar="AUTOGLUON_DIR")
@click.option("--rows", type=_FILE, metavar="TABLE", help="Rows to prove it on: CSV, TSV or Parquet.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the bundle.")
def compile_model(folder: Path, rows: Path | None, output: Path | None) -> None:
    """Make a bundle of an AutoGluon MultiModalPredictor, and prove that it answers as AutoGluon does.

    AUTOGLUON_DIR is the folder that the predictor was trained into. It holds pickles, which can run any code: compile
    only folders that you trust as you trust a program. The bundle holds none.

    TABLE has rows like those of the training table, with paths of images relative to it. The model is asked for them
    through AutoGluon and through the bundle, and for such rows with missing, unseen and extreme values, odd texts and
    pictures. Without TABLE rows are made up from what the model's preprocessor was fitted to. Where a probability
    differs by more than 0.0001, nothing is written.

    The bundle is written to FOLDER, whose name becomes the model's, else to a folder named after AUTOGLUON_DIR, here.
    `pixlake models push FOLDER --lake LAKE` serves it.

    \b
      pixlake models compile AutogluonModels/adoption --rows pets.csv --output models/adoption
    """
    from pixlake.errors import NotServable
    from pixlake_models.silence import silenced

    target = (output or Path(folder.resolve().name)).resolve()
    try:
        with silenced():
            version, metrics = _compile(folder.resolve(), rows, target)
    except NotServable as error:
        raise type(error)(f"{error}; {_WAY_OUT}") from error
    if rows is None:
        click.echo("no --rows were given, so the rows are made up from what the preprocessor was fitted to", err=True)
    for line in format_proof(metrics):
        click.echo(line)
    click.echo(f"{target.name}@{version} is in {output or target.name}")


def _compile(folder: Path, rows: Path | None, target: Path) -> tuple[str, dict[str, Any]]:
    """The bundle's version, and its metrics. What can be refused early is, before AutoGluon is loaded."""
    from pixlake_models.autogluon.folder import check_folder, load_predictor
    from pixlake_models.exporting.writing import check_target

    check_target(target)
    check_folder(folder)

    from autogluon.multimodal import version as autogluon

    from pixlake.bundles.folders import read_folder
    from pixlake_models.autogluon.columns import find_image_column
    from pixlake_models.autogluon.compile import AutoGluonSource, compile_autogluon
    from pixlake_models.autogluon.rows import read_rows

    predictor = load_predictor(folder)
    table = read_rows(rows, find_image_column(predictor._learner)) if rows else None
    source = {"origin": f"{folder.name}, a MultiModalPredictor of AutoGluon {autogluon.__version__}"}
    version = compile_autogluon(AutoGluonSource(predictor, table, source), target, {})
    return version, read_folder(target.as_uri()).manifest.metrics


def format_proof(metrics: dict[str, Any]) -> Iterator[str]:
    """A line for each kind of rows: their number, and the greatest difference between the answers."""
    proof = metrics["autogluon"]
    width = max(map(len, proof))
    yield f"{'rows':{width}}  count  greatest difference"
    for name, each in proof.items():
        yield f"{name:{width}}  {each['rows']:5}  {each['difference']:.1e}"
    yield f"{'all':{width}}  {metrics['autogluon_rows']:5}  {metrics['autogluon_difference']:.1e}"
