"""Records as an animal shelter has them: numbers, categories, two texts, up to three photos, how soon each is adopted.

With networks for pictures and for text to start from, untrained, as local folders: no hub is asked for any.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import timm
import torch
from autogluon.multimodal import MultiModalPredictor
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizerFast, ElectraConfig, ElectraModel

ROWS = 48
LABEL, IMAGES, ID = "speed", "photos", "id"
TYPES = {
    "age": "numerical",
    "fee": "numerical",
    "breed": "categorical",
    "litter": "categorical",
    "sterile": "categorical",
    "name": "text",
    "story": "text",
    IMAGES: "image_path",
}
TABLE_TYPES = {name: kind for name, kind in TYPES.items() if kind in ("numerical", "categorical")}
TABULAR = ["categorical_mlp", "numerical_mlp", "fusion_mlp"]
SETTINGS: dict[str, Any] = {
    "data.categorical.minimum_cat_count": 1,
    "env.num_gpus": 0,
    "env.accelerator": "cpu",
    "env.precision": "32",
    "env.num_workers": 0,
    "env.num_workers_inference": 0,
    "env.per_gpu_batch_size": 16,
    "env.batch_size": 16,
    "optim.max_epochs": 1,
    "optim.lr": 3e-4,
    "optim.top_k": 1,
    "optim.val_check_interval": 1.0,
}
_WORDS = ["small", "large", "friendly", "shy", "kitten", "puppy", "loves", "children", "sleeps", "house-trained"]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_CODES = {ID: str}


@dataclass(frozen=True)
class Pets:
    """`table` is a CSV beside the photos that it names; `folder` is theirs."""

    folder: Path

    @property
    def table(self) -> Path:
        return self.folder / "pets.csv"

    def rows(self) -> pandas.DataFrame:
        """As pandas reads the table, the photos' paths absolute."""
        rows = pandas.read_csv(self.table, dtype=_CODES)
        rows[IMAGES] = [";".join(map(str, self.photos(cell))) or None for cell in rows[IMAGES]]
        return rows

    def photos(self, cell: Any) -> list[Path]:
        return [] if pandas.isna(cell) else [self.folder / name for name in cell.split(";")]


def make_pets(folder: Path) -> Pets:
    """The label follows from all that there is, the photos' colour included."""
    random = np.random.default_rng(0)
    rows = [_make_pet(number, folder, random) for number in range(ROWS)]
    pets = Pets(folder)
    pandas.DataFrame(rows).to_csv(pets.table, index=False)
    return pets


def _make_pet(number: int, folder: Path, random: np.random.Generator) -> dict[str, Any]:
    speed = int(random.integers(0, 3))
    identity = f"{number:03}"
    photos = [_take_photo(folder / f"{identity}-{at + 1}", speed, random) for at in range(random.integers(0, 4))]
    words = [*random.choice(_WORDS, random.integers(2, 20)), _WORDS[speed]]
    return {
        ID: identity,
        "age": int(random.integers(0, 30)) + 20 * speed,
        "fee": round(float(random.normal(30, 20)), 2) if number % 7 else None,
        "breed": str(random.choice(["mixed", "poodle", "siamese"])),
        "litter": int(random.integers(1, 4)),
        "sterile": bool(random.integers(0, 2)),
        "name": str(random.choice(_WORDS)) if number % 5 else None,
        "story": " ".join(words) if number % 11 else None,
        IMAGES: ";".join(photos),
        LABEL: ("soon", "later", "never")[speed],
    }


def _take_photo(path: Path, speed: int, random: np.random.Generator) -> str:
    """A JPEG; every fourth a PNG with transparency, every fourth turned by EXIF."""
    pixels = random.integers(0, 130, (40, 56, 4), dtype=np.uint8)
    pixels[..., speed] += 110
    pixels[10:30, 5:20, 3] = 0
    image, kind = Image.fromarray(pixels), random.integers(0, 4)
    if kind == 0:
        image.save(path.with_suffix(".png"))
        return path.with_suffix(".png").name
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == 1 else 1
    image.convert("RGB").save(path.with_suffix(".jpg"), quality=90, exif=exif)
    return path.with_suffix(".jpg").name


def make_upload(pets: Pets, path: Path, classifier: dict[str, str]) -> Path:
    """The table without what the model is to find out, and the photos, which are named by their record's id."""
    with zipfile.ZipFile(path, "w") as upload:
        table = pandas.read_csv(pets.table, dtype=str, keep_default_na=False).drop(columns=[LABEL, IMAGES])
        upload.writestr("pets.csv", table.to_csv(index=False))
        upload.writestr("pixlake.json", json.dumps({"classifier": classifier, "id_column": ID}))
        for photo in sorted(pets.folder.glob("*-*")):
            upload.write(photo, f"photos/{photo.name}")
    return path


def save_image_network(folder: Path, architecture: str = "regnetx_002", side: int = 32) -> Path:
    """A network of timm's, by default a small one, as AutoGluon takes it from a folder."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    network = timm.create_model(architecture, num_classes=0)
    with torch.no_grad():
        for _ in range(10):  # so that what it is normalized by fits pictures, and it tells them apart untrained
            network(torch.randn(32, 3, side, side) + 2 * torch.randn(32, 3, 1, 1))
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    config = {
        "architecture": architecture,
        "input_size": (3, side, side),
        "pool_size": (side // 32, side // 32),
        "num_classes": 0,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.3, 0.3, 0.3),
        "first_conv": network.pretrained_cfg["first_conv"],
        "classifier": network.pretrained_cfg["classifier"],
    }
    described = {"architecture": architecture, "num_features": network.num_features, "pretrained_cfg": config}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def save_text_network(folder: Path, config: ElectraConfig | None = None) -> Path:
    """An ELECTRA, by default a tiny one, with a WordPiece vocabulary of these words, as transformers has it."""
    folder.mkdir(parents=True)
    save_tokenizer(folder)
    torch.manual_seed(0)
    ElectraModel(config or _tiny_electra()).save_pretrained(folder)
    return folder


def _tiny_electra() -> ElectraConfig:
    layers = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    spread = {"initializer_range": 0.3}  # wide enough for an untrained network to tell texts apart
    return ElectraConfig(vocab_size=200, embedding_size=16, max_position_embeddings=64, **layers, **spread)


def save_tokenizer(folder: Path) -> None:
    """Words in pieces, lowered and without accents."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(_WORDS, trainer)
    BertTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)


def train_pair(pets: Pets, folder: Path, networks: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """A model of all columns, and one of numbers and categories alone: their folders.

    `networks` are the folders of those for pictures and for text to start from, small ones without.
    """
    rows = pets.rows().drop(columns=ID)
    eye, reader = networks or (save_image_network(folder / "eye"), save_text_network(folder / "reader"))
    settings = {
        "model.names": ["timm_image", "hf_text", *TABULAR],
        "model.timm_image.checkpoint_name": str(eye),
        "model.timm_image.max_image_num_per_column": 3,
        "model.timm_image.train_transforms": ["resize_to_square"],
        "model.timm_image.val_transforms": ["resize_to_square"],
        "model.hf_text.checkpoint_name": str(reader),
        "model.hf_text.max_text_len": 40,
        "model.hf_text.text_trivial_aug_maxscale": 0.0,
    }
    fit(rows, folder / "adoption", "multiclass", TYPES, settings)
    fit(rows, folder / "adoption-table", "multiclass", TABLE_TYPES, {"model.names": TABULAR})
    return folder / "adoption", folder / "adoption-table"


def fit(
    rows: pandas.DataFrame, folder: Path, problem: str, types: dict[str, str], settings: dict[str, Any]
) -> MultiModalPredictor:
    """A model of the columns that have a type."""
    label = LABEL if LABEL in rows else "label"
    predictor = MultiModalPredictor(label=label, problem_type=problem, path=str(folder), verbosity=0)
    return predictor.fit(rows[[*types, label]], hyperparameters=SETTINGS | settings, column_types=types, seed=0)
