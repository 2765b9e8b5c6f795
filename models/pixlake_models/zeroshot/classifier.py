"""An image classifier from an embedder and words: a picture gets the label whose texts its vector is closest to.

"Learning Transferable Visual Models From Natural Language Supervision" (Radford et al. 2021, arXiv:2103.00020): section
3.1.2 has the classifier, 3.1.4 the templates and the mean over prompts; "Sigmoid Loss for Language Image Pre-Training"
(Zhai et al. 2023, arXiv:2303.15343) the bias and the sigmoid of models trained without a softmax.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import Manifest, Output
from pixlake.errors import BadRequest, NotServable
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.batches import grouped
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.graphs import activate
from pixlake_models.exporting.export import Candidate
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.labels import Label
from pixlake_models.exporting.pictures import Picture, make_pictures
from pixlake_models.exporting.probabilities import predict_tensors
from pixlake_models.zeroshot.graph import Vectors, append_labels

CLIP_SCALE = 100.0
"""The end value of CLIP's training, which it does not exceed (section 2.5)."""
GREATEST_DIFFERENCE = 1e-5
_PROMPTS_AT_ONCE = 64
_PICTURES_AT_ONCE = 8
_MAX_PIXELS = 100_000_000
_SAME = 4  # decimals


@dataclass(frozen=True)
class Wording:
    """The labels, the templates whose `{}` their texts fill, and the scale and bias that turn a cosine into a logit."""

    labels: Sequence[Label]
    templates: Sequence[str]
    scale: float
    bias: float | None = None

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """A model with a bias was trained to judge each text on its own, by a sigmoid; others choose among them."""
        return "softmax" if self.bias is None else "sigmoid"

    def prompts(self) -> Iterator[tuple[int, str]]:
        """Each label's index with each of its texts in each template."""
        for index, label in enumerate(self.labels):
            for text in label.texts:
                for template in self.templates:
                    yield index, template.replace("{}", text)


@dataclass(frozen=True)
class Worded:
    """An embedder with its vectors of the labels, `[labels, dimensions]`, of unit length."""

    folder: BundleFolder
    model: Embedder
    wording: Wording
    vectors: Vectors


def put_into_words(folder: BundleFolder, wording: Wording) -> Worded:
    """The embedder with its vectors of the labels; BadRequest if it reads no texts, NotServable for words without a
    vector."""
    if folder.manifest.text is None:
        raise BadRequest(f"{folder.model} reads no texts, so labels cannot be put into words for it")
    model = Embedder(folder)
    return Worded(folder, model, wording, embed_labels(model, wording))


def make_classifier(worded: Worded) -> Candidate:
    """The classifier, to be proved and written. Its graph has the name of the embedder's, which the tensors beside it
    are named after."""
    source, wording = worded.folder.manifest, worded.wording
    embedding, read = source.output.tensor, worded.folder.read
    graph, logits = append_labels(
        read(source.graph), embedding, worded.vectors, scale=wording.scale, bias=wording.bias or 0
    )
    manifest = Manifest(
        format=1,
        name=source.name,
        kind="image_classifier",
        inputs=source.inputs,
        graph=source.graph,
        output=Output(logits, wording.activation),
        files={},
        source=_describe_source(worded),
        problem="binary" if len(wording.labels) == 2 else "multiclass",
        labels=tuple(label.name for label in wording.labels),
    )
    beside = {f"{source.graph}.data"} & source.files.keys()
    files = {source.graph: graph, **{file: read(file) for file in beside}}
    return Candidate(manifest, files, functools.partial(_measure, worded=worded))


def embed_labels(embedder: Embedder, wording: Wording) -> Vectors:
    """`[labels, dimensions]`: for each label the mean of its prompts' unit vectors, brought to unit length.

    NotServable for a label whose prompts have no vector, or cancel each other.
    """
    sums = np.zeros((len(wording.labels), embedder.dimensions))
    for group in grouped(wording.prompts(), _PROMPTS_AT_ONCE):
        places, prompts = zip(*group, strict=True)
        np.add.at(sums, list(places), embedder.embed_texts(prompts).astype(np.float64))
    vectors = activate(sums, "normalize")
    if lost := [label.name for label, row in zip(wording.labels, vectors, strict=True) if not np.isfinite(row).all()]:
        raise NotServable(f"{embedder.model} has no vector for the texts of {lost[:5]}")
    return vectors


def find_alike(worded: Worded) -> Iterator[tuple[str, ...]]:
    """The labels that share a vector, so that all but the first never win: unknown words, or texts that are cut before
    they differ."""
    _, places = np.unique(worded.vectors.round(_SAME), axis=0, return_inverse=True)
    for place, count in enumerate(np.bincount(places.ravel())):
        if count > 1:
            alike = np.flatnonzero(places.ravel() == place).tolist()
            yield tuple(worded.wording.labels[index].name for index in alike)


def _describe_source(worded: Worded) -> dict[str, str]:
    """The embedder's own, for its licence still holds, and how this was made from it."""
    wording = worded.wording
    logit = f"{wording.scale:g} * cosine" + ("" if wording.bias is None else f" {wording.bias:+g}")
    made = {"embedder": worded.folder.model, "templates": " | ".join(wording.templates), "logit": logit}
    return {**worded.folder.manifest.source, **made, "made by": "pixlake models zero-shot"}


def _measure(folder: BundleFolder, *, worded: Worded) -> list[Figure]:
    classifier = Classifier(folder)
    groups = grouped(make_pictures(), _PICTURES_AT_ONCE)
    differences = [_greatest_difference(classifier, worded, group) for group in groups]
    return [
        Figure("probability_difference", max(differences), most=GREATEST_DIFFERENCE),
        Figure("prompts", sum(1 for _ in worded.wording.prompts())),
    ]


def _greatest_difference(classifier: Classifier, worded: Worded, pictures: Sequence[Picture]) -> float:
    """Between the classifier's probabilities and numpy's from the embedder's vectors of the same pictures."""
    model, wording = worded.model, worded.wording
    tensors = [
        tensor(decode_for(each.data, model.preprocessing, _MAX_PIXELS), model.preprocessing) for each in pictures
    ]
    cosines = model.embed_tensors(tensors).astype(np.float64) @ worded.vectors.T
    expected = activate(wording.scale * cosines + (wording.bias or 0), wording.activation)
    return float(np.abs(predict_tensors(classifier, tensors, len(wording.labels)) - expected).max())
