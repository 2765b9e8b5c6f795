"""`pixlake models zero-shot`: an image classifier from words. It needs only `onnx`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_models.commands.options import lake_if_any

if TYPE_CHECKING:
    from pixlake.bundles.manifest import TextTower

TEMPLATE = "a photo of a {}"
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(name="zero-shot")
@click.argument("embedder", metavar="NAME|FOLDER")
@click.option("--labels", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--template", "templates", multiple=True, metavar="TEXT", help=f'Default: "{TEMPLATE}". Give it several times.'
)
@click.option("--scale", type=_POSITIVE, help="Logit scale. Default: as the embedder was trained.")
@click.option("--bias", type=float, help="Logit bias, of a model trained with a sigmoid. Default: likewise.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the bundle.")
@lake_if_any
def zero_shot(
    embedder: str,
    labels: Path,
    templates: tuple[str, ...],
    scale: float | None,
    bias: float | None,
    output: Path | None,
    lake: Lake | None,
) -> None:
    """Make a classifier of images out of labels in words, by an embedder that reads texts; nothing is trained.

    The embedder is the NAME of one in the lake, or, with a / in it, a FOLDER. FILE holds a label a line,
    or, named *.json, {"label": "text" or ["text", ...]} where the words for the model are others than the label.
    Each text is put into each TEXT in place of its {}, and the vectors of a label's prompts are averaged.

    The bundle is written to FOLDER, whose name becomes the model's; else here, named after the embedder and FILE.

    \b
      pixlake models zero-shot emoji-clip --labels kinds.txt --template "{}" --template "{} emoji" --lake lake
      pixlake models push emoji-clip-kinds --lake lake
      pixlake run pictures.zip --image-classifier emoji-clip-kinds --lake lake
    """
    from pixlake.bundles.folders import find_bundle
    from pixlake_models.commands.export import derive_name
    from pixlake_models.exporting.export import prove_and_write
    from pixlake_models.exporting.labels import read_labels
    from pixlake_models.exporting.writing import check_target
    from pixlake_models.zeroshot.classifier import Wording, find_alike, make_classifier, put_into_words

    folder = find_bundle(embedder, lake.uri if lake else None)
    target = (output or Path(derive_name(f"{folder.manifest.name}-{labels.stem}"))).resolve()
    check_target(target)
    logit = _find_logit(folder.manifest.text, scale, bias)
    wording = Wording(read_labels(labels), [_check(each) for each in templates or (TEMPLATE,)], *logit)
    worded = put_into_words(folder, wording)
    for names in find_alike(worded):
        click.echo(f"The embedder cannot tell these apart, by the words given: {', '.join(names)}", err=True)
    written = prove_and_write(make_classifier(worded), target)
    click.echo(written.describe())
    click.echo(f"{target.name}@{written.version} is in {output or target.name}")


def _find_logit(tower: "TextTower | None", scale: float | None, bias: float | None) -> tuple[float, float | None]:
    """Scale and bias as asked for, else the embedder's, else CLIP's, with a notice."""
    from pixlake_models.zeroshot.classifier import CLIP_SCALE

    scale = scale if scale is not None or tower is None else tower.scale
    bias = bias if bias is not None or tower is None else tower.bias
    if scale is None:
        scale = CLIP_SCALE
        click.echo(f"The embedder's bundle names no scale: it is CLIP's {scale:g}, unless --scale says other", err=True)
    if bias is not None:
        click.echo("The embedder has a bias: each label is judged on its own, by a sigmoid", err=True)
    return scale, bias


def _check(template: str) -> str:
    if template.count("{}") != 1:
        raise BadRequest(f"the template {template!r} has no {{}}, or several, where a label's text goes")
    return template
