"""The demo: an honest split, a vocabulary that CLIP can read, pictures as the network takes them, good bundles."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from demo.backbone import SIDE
from demo.captions import END, LENGTH, keyword_caption, name_caption
from demo.evaluate import accuracy, classifier_table, lake_of, read_sample, recall, search_table
from demo.families import divide, divide_training, family
from demo.pictures import augment_pictures
from demo.train_classifiers import COLUMNS, gather
from demo.unicode import ROOT, Emoji, read_emoji
from pixlake.bundles.manifest import Preprocessing
from pixlake.inference.loaded import load_classifier, load_embedder
from pixlake_models.training.backbones import Backbone

REPOSITORY = Path(__file__).parents[2]


def emoji(name: str, *points: int, group: str = "Objects", subgroup: str = "tool") -> Emoji:
    return Emoji(points or (0x1F528,), name, group, subgroup, "1.0", ("metal", "hit"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (emoji("waving hand", 0x1F44B), emoji("waving hand: dark skin tone", 0x1F44B, 0x1F3FF)),
        (emoji("man cook", subgroup="person-role"), emoji("woman cook: light skin tone", subgroup="person-role")),
        (emoji("person: red hair", subgroup="person"), emoji("man", subgroup="person")),
        (emoji("one o’clock", subgroup="time"), emoji("two-thirty", subgroup="time")),
        (emoji("family: man, boy", subgroup="family"), emoji("family", subgroup="family")),
    ],
)
def test_near_copies_are_one_family(one: Emoji, other: Emoji) -> None:
    assert family(one) == family(other)


def test_flags_and_different_things_are_families_of_their_own() -> None:
    flags = [emoji(f"flag: {country}", group="Flags") for country in ("France", "Ghana")]
    assert len({family(each) for each in [*flags, emoji("hammer"), emoji("axe")]}) == 4


def test_a_split_leaves_nothing_out_and_no_family_on_both_sides() -> None:
    all_emoji = [emoji(f"thing {index}{tone}") for index in range(300) for tone in ("", ": dark skin tone")]
    training, sample = divide(all_emoji)
    assert len(training) + len(sample) == len(all_emoji)
    assert 0.2 < len(sample) / len(all_emoji) < 0.45
    learning, validation = divide_training(training)
    families = [{family(each) for each in part} for part in (sample, learning, validation)]
    assert all(families)
    assert len(set.union(*families)) == sum(map(len, families)) == 300


@pytest.mark.skipif(not ROOT.exists(), reason="Debian's unicode-data is not installed")
def test_the_committed_sample_holds_no_training_emoji() -> None:
    training, _ = divide(read_emoji())
    records = read_sample(REPOSITORY / "samples" / "emoji.zip")
    assert len(records) > 550
    assert not {record.values["code"] for record in records} & {each.code for each in training}


@pytest.mark.skipif(not ROOT.exists(), reason="Debian's unicode-data is not installed")
def test_the_classifiers_are_evaluated_on_the_sample_and_not_trained_on_it(tmp_path: Path) -> None:
    white, half = (255, 255, 255), (0.5, 0.5, 0.5)
    seen = Preprocessing(SIDE, SIDE, "squash", "bicubic", background=white, mean=half, std=half)
    sample = REPOSITORY / "samples" / "emoji.zip"
    material = gather(sample, Backbone("any", tmp_path, seen, trained=False), tmp_path / "records")
    parts, rows = material.examples.parts, material.examples.rows
    learned = {material.ids[row] for part in (parts.learning, parts.validation) for row in part}
    evaluated = {material.ids[row] for row in parts.heldout}
    assert len(learned) + len(evaluated) == len(rows)
    assert evaluated == {record.values["code"] for record in read_sample(sample)}
    assert not learned & evaluated
    assert len(material.examples.illustrated(parts.heldout)) == 545
    assert set(rows.columns) == {*COLUMNS, "group", "image"}


def test_a_text_ends_with_the_greatest_token_however_long(tokenizer: Tokenizer) -> None:
    end = tokenizer.token_to_id(END)
    assert end == tokenizer.get_vocab_size() - 1
    for text in ("", "hammer", "hammer " * 100):
        ids = tokenizer.encode(text).ids
        assert len(ids) == LENGTH
        assert ids.count(end) == 1


def test_captions_name_the_emoji() -> None:
    draw = random.Random(0)
    assert all("hammer" in name_caption(emoji("hammer"), draw) for _ in range(20))
    assert all({"metal", "hit"} & set(keyword_caption(emoji("hammer"), draw).split()) for _ in range(20))


def test_a_transparent_picture_becomes_its_background_and_views_differ() -> None:
    torch.manual_seed(0)
    empty = augment_pictures(torch.zeros(16, 4, 72, 72, dtype=torch.uint8))
    assert empty.shape == (16, 3, SIDE, SIDE)
    assert torch.equal(empty.amax(dim=(2, 3)), empty.amin(dim=(2, 3)))
    noise = torch.randint(0, 255, (1, 4, 72, 72), dtype=torch.uint8)
    views = augment_pictures(noise.repeat(2, 1, 1, 1))
    assert views.abs().max() <= 1
    assert not torch.allclose(views[0], views[1])


def test_recall_counts_the_right_answers_among_the_nearest() -> None:
    gallery = np.eye(3, dtype=np.float32)
    queries = np.array([[0.9, 0.4, 0], [0.4, 0.9, 0], [0, 0, 1]], dtype=np.float32)
    assert recall(queries, gallery, [0, 0, 2], top=1) == pytest.approx(2 / 3)
    assert recall(queries, gallery, [0, 0, 2], top=2) == 1


def test_the_committed_bundles_are_better_than_guessing() -> None:
    records = read_sample(REPOSITORY / "samples" / "emoji.zip")
    with lake_of(REPOSITORY / "bundles") as lake:
        table = list(search_table(load_embedder(lake, "emoji-clip"), records))
        with_image, without_image = (load_classifier(lake, name) for name in ("emoji-group", "emoji-group-table"))
        assert len(list(classifier_table(with_image, without_image, records))) == 5
        assert accuracy(with_image, [record for record in records if record.images]) > 0.4
        assert accuracy(without_image, records) > 0.35
    first = [float(cell.strip(" %")) for cell in table[2].split("|")[3:7]]
    assert first[0] > 5 * first[2]
    assert first[1] > 5 * first[3]
