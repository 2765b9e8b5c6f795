"""`pixlake classify`: the class of an image now, without a run."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_option

if TYPE_CHECKING:
    from pixlake.inference.answers import Answer


@click.command()
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@lake_option
@click.option("--model", metavar="NAME", help="The classifier. Default: the only one of the lake that takes images.")
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="How many classes.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line for each image.")
def classify(images: tuple[Path, ...], lake: Lake, model: str | None, top: int, as_json: bool) -> None:
    """Say the class of each IMAGE, by a classifier of the lake; nothing is written.

    The score is the class's probability. A classifier of records is asked as for a record with this image and empty
    cells. The id is the class's place among the model's labels, then that of its vocabulary (WordNet's) where the
    model has one. An image that cannot be decoded has its reason in place of a class; the command then ends with 1.

    \b
    pixlake classify cat.jpg --lake lake --top 5
    pixlake classify *.jpg --lake lake --model pets --json
    """
    from pixlake.bundles.demo import write_notice
    from pixlake.images.decoders import Decoders, Limits
    from pixlake.inference.answers import classify_images
    from pixlake.inference.choosing import choose_classifier
    from pixlake.inference.classifier import Classifier

    folder = choose_classifier(lake.uri, model)
    if folder.demo and (notice := write_notice({"orphan": folder.model}, on_sample=False)):
        click.echo(f"notice: {notice}", err=True)
    decoders = Decoders(Limits())
    classifier = Classifier(folder)
    read = ((str(path), path.read_bytes()) for path in images)
    answers = classify_images(classifier, read, top, decoders)
    failed = _print_lines(answers) if as_json else _print_table(answers)
    sys.exit(1 if failed else 0)


def _print_lines(answers: "Iterable[Answer]") -> bool:
    """Whether an image failed."""
    from pixlake.inference.answers import describe

    failed = False
    for answer in answers:
        failed = failed or answer.error is not None
        click.echo(json.dumps({"image": answer.image, **describe(answer)}, ensure_ascii=False))
    return failed


def _print_table(answers: "Iterable[Answer]") -> bool:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from pixlake.report.words import readable
    from pixlake_cli.output import make_console

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("image", "score", "class", "id"):
        grid.add_column(heading, overflow="fold")
    failed = False
    for answer in answers:
        failed = failed or answer.error is not None
        for row in _rows(answer):
            grid.add_row(*(Text(readable(cell)) for cell in row))
    make_console(sys.stdout).print(grid)
    return failed


def _rows(answer: "Answer") -> Iterator[tuple[str, str, str, str]]:
    if answer.error:
        yield answer.image, "", str(answer.error), ""
    elif answer.value is not None:
        yield answer.image, f"{answer.value:.6g}", "", ""
    for place, each in enumerate(answer.classes):
        yield (
            "" if place else answer.image,
            f"{each.score:.4f}",
            each.label,
            f"{each.class_id} {each.label_id or ''}".rstrip(),
        )
