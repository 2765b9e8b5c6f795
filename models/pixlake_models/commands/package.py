"""`pixlake models package`: a MultiModalPredictor for the AutoGluon container."""

from pathlib import Path

import click

from pixlake_models.commands.environment import TorchCommand


@click.command(cls=TorchCommand)
@click.argument(
    "predictor",
    metavar="AUTOGLUON_DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
)
@click.option(
    "--rows",
    required=True,
    metavar="TABLE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV, TSV or Parquet with the columns of the training table, to prove the bundle on; images by path.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the bundle.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="When the proof is stopped.",
)
def package(predictor: Path, rows: Path, output: Path | None, timeout: float) -> None:
    """Make a bundle of a predictor that `compile` refuses, for AutoGluon itself to run.

    AUTOGLUON_DIR is what MultiModalPredictor saved. The bundle is written to FOLDER, whose name becomes the model's,
    else to a folder of AUTOGLUON_DIR's name, here. Where the packaged predictor answers TABLE's rows otherwise than
    the one in AUTOGLUON_DIR, or takes half of the machine's memory, nothing is written.

    The bundle holds pickles: whoever loads it runs the code of whoever made it. It is served by the AutoGluon
    container, which a stack has where its parameter AutoGluonImage names one (docs/autogluon-container.md).

    \b
      pixlake models package AutogluonModels/pets --rows pets.csv --output models/pets
    """
    from pixlake_models.autogluon.columns import find_image_column
    from pixlake_models.autogluon.rows import read_rows
    from pixlake_models.exporting.figures import format_table
    from pixlake_models.exporting.writing import check_target
    from pixlake_models.packaging.package import load_trained, package_predictor

    target = (output or Path(predictor.name)).resolve()
    check_target(target)
    trained = load_trained(predictor)
    table = read_rows(rows, find_image_column(trained._learner))
    written = package_predictor(trained, table, target, seconds=timeout)
    click.echo(format_table(written.figures))
    click.echo(f"{target.name}@{written.version} is in {output or target.name}")
