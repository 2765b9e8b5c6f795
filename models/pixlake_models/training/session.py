"""A whole training: pictures prepared, the pair trained, evaluated on the same held-out records, compiled to
bundles."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pixlake.errors import BadRequest
from pixlake_models.exporting.writing import check_target
from pixlake_models.training.backbones import prepare_backbone
from pixlake_models.training.material import Material
from pixlake_models.training.pair import Examples, make_examples, train_one
from pixlake_models.training.pictures import prepare_pictures
from pixlake_models.training.results import Entrant, Result, publish
from pixlake_models.training.train import Recipe

TABLE_END, EVALUATION_END = "-table", "-evaluation"
_MOST_IMAGES = 4
Say = Callable[[str], None]


@dataclass(frozen=True)
class Network:
    """The initial image network, as in `prepare_backbone`. `images` is the most pictures used of a record, by default
    all that any record has, up to 4."""

    name: str
    trained: bool = True
    side: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Session:
    """The material and settings of a training. Without a network there is only a model of the table, without columns
    only one of the pictures. The bundles go to `target` and `target`-table, the evaluation to `target`-evaluation,
    AutoGluon's own folders into `trained`; `source` is that of the bundles."""

    material: Material
    network: Network | None
    recipe: Recipe
    source: dict[str, str]
    target: Path
    trained: Path
    work: Path

    def targets(self) -> dict[Path, bool]:
        """The bundles' folders, and whether each model takes images."""
        found = {self.target: True} if self.network else {}
        table = self.target.with_name(self.target.name + TABLE_END)
        return found | ({table: False} if list(self.material.columns) else {})


def train_pair(session: Session, say: Say) -> Result:
    """Train, evaluate and compile.

    Raises BadRequest for an unusable target or network, NotServable or NotEqual as compiling does.
    """
    targets = session.targets()
    for target in targets:
        check_target(target)
        if (session.trained / target.name).exists():
            raise BadRequest(f"{session.trained / target.name} is there already; name another folder for what is kept")
    examples, recipe = _prepare(session, say)
    entrants = []
    for target, images in targets.items():
        begun = time.monotonic()
        say(f"training {target.name}, at most {recipe.epochs} epochs")
        model = train_one(examples, recipe, session.trained / target.name, images=images)
        say(f"trained in {time.monotonic() - begun:.0f} s")
        entrants.append(Entrant(model, target, session.source | _describe(session, recipe, images=images)))
    evaluation = session.target.with_name(session.target.name + EVALUATION_END)
    return publish(entrants, examples, session.material.records.ids, evaluation)


def _prepare(session: Session, say: Say) -> tuple[Examples, Recipe]:
    """Records with the files of their pictures, and the recipe with the network."""
    material, network, recipe, work = session.material, session.network, session.recipe, session.work
    records = material.records
    if network is None:
        files: tuple[tuple[Path, ...], ...] = ((),) * len(records.ids)
        return make_examples(records, material.columns, files, material.parts), recipe
    folder = work / "backbone"
    backbone = prepare_backbone(network.name, folder, trained=network.trained, side=network.side, seed=recipe.seed)
    pictures = prepare_pictures(records.images, backbone.preprocessing, work / "pictures")
    for reject in pictures.rejects:
        say(f"left out: {reject.source}: {reject.detail}")
    most = network.images or min(max(map(len, pictures.files)), _MOST_IMAGES)
    examples = make_examples(records, material.columns, pictures.files, material.parts)
    return examples, replace(recipe, backbone=backbone, images=most)


def _describe(session: Session, recipe: Recipe, *, images: bool) -> dict[str, str]:
    """The settings that reproduce the training."""
    described = {
        "label": session.material.records.label,
        "epochs": f"the best of at most {recipe.epochs}",
        "seed": str(recipe.seed),
    }
    if images and recipe.backbone:
        weights = "trained" if recipe.backbone.trained else "random"
        described["image_network"] = f"{recipe.backbone.name}, from {weights} weights"
    if session.material.columns.text:
        described["text_network"] = str(recipe.text_backbone)
    return described
