"""Models are named by their version, and refused before any work if they cannot do it."""

import pytest

from pixlake.bundles.roles import resolve_models
from pixlake.errors import BadBundle, BadRequest
from pixlake.messages import Classifiers, Options
from tests.builders.split_inputs import Upload


def names(lake: str, options: Options, autogluon: bool = False) -> dict[str, str]:
    return {role: model.name for role, model in resolve_models(lake, options, autogluon).items()}


def test_without_names_no_model_is_resolved(upload: Upload) -> None:
    assert names(upload.lake, Options(embedder="")) == {}


def test_every_role_is_resolved_to_a_version(upload: Upload) -> None:
    clip = upload.put_bundle("clip", "embedder")
    both = upload.put_bundle("both", "record_classifier", missing="refuse")
    table = upload.put_bundle("table", "record_classifier")
    kind = upload.put_bundle("kind", "image_classifier")
    options = Options(embedder="clip", classifier=Classifiers("both", "table", "kind"))
    found = names(upload.lake, options)
    assert found == {"embedder": clip, "with_image": both, "without_image": table, "orphan": kind}


def test_a_version_may_be_asked_for(upload: Upload) -> None:
    clip = upload.put_bundle("clip", "embedder")
    assert names(upload.lake, Options(embedder=clip)) == {"embedder": clip}
    with pytest.raises(BadBundle, match="000000000000"):
        names(upload.lake, Options(embedder="clip@000000000000"))


@pytest.mark.parametrize(("bundles", "listed"), [([], "none"), (["b", "a"], "a, b")])
def test_a_missing_bundle_is_refused_naming_the_existing_ones(upload: Upload, bundles: list[str], listed: str) -> None:
    for name in bundles:
        upload.put_bundle(name, "embedder")
    with pytest.raises(BadBundle, match=rf"embedder: there is no bundle 'clip' .*; there are: {listed}$"):
        names(upload.lake, Options(embedder="clip"))


def test_a_missing_model_that_comes_with_pixlake_is_refused_with_the_way_to_it(upload: Upload) -> None:
    with pytest.raises(BadBundle, match="there are: none; the stack's output Models has the command"):
        names(upload.lake, Options(embedder="photo-lite0"))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (Options(embedder="x"), "record_classifier"),
        (Options(classifier=Classifiers(with_image="x")), "image_classifier"),
        (Options(classifier=Classifiers(without_image="x")), "embedder"),
        (Options(classifier=Classifiers(orphan="x")), "record_classifier"),
    ],
)
def test_a_bundle_of_another_kind_is_refused(upload: Upload, options: Options, kind: str) -> None:
    upload.put_bundle("x", kind)
    with pytest.raises(BadBundle, match=f"'x' is of the kind {kind}"):
        names(upload.lake, options)


def test_a_bundle_that_needs_an_image_is_refused_for_records_without(upload: Upload) -> None:
    upload.put_bundle("x", "record_classifier", missing="refuse")
    with pytest.raises(BadBundle, match="refuses records without an image"):
        names(upload.lake, Options(classifier=Classifiers(without_image="x")))


@pytest.mark.parametrize("name", ["../x", "a/b", "", "@1"])
def test_a_model_name_that_is_a_path_is_refused(upload: Upload, name: str) -> None:
    with pytest.raises(BadRequest):
        names(upload.lake, Options(embedder=name or " "))


# ---- what only AutoGluon can run ----------------------------------------------------------------------------------


def test_a_predictor_has_a_task_of_its_own(upload: Upload) -> None:
    model, images = upload.put_predictor("pets"), upload.put_predictor("photos", columns=())
    table = upload.put_bundle("table", "record_classifier")
    options = Options(classifier=Classifiers("pets", "table", "photos"))
    found = resolve_models(upload.lake, options, autogluon=True)
    assert {role: (each.name, each.task) for role, each in found.items()} == {
        "with_image": (model, "classify_autogluon"),
        "without_image": (table, "classify"),
        "orphan": (images, "classify_autogluon"),
    }


@pytest.mark.parametrize("role", ["with_image", "without_image", "orphan"])
def test_a_predictor_is_refused_where_its_container_is_not_deployed(upload: Upload, role: str) -> None:
    upload.put_predictor("pets", columns=() if role == "orphan" else ("Age",))
    with pytest.raises(
        BadBundle, match=f"{role}: .*'pets' runs in the AutoGluon container.*AutoGluonImage.*make models"
    ):
        names(upload.lake, Options(classifier=Classifiers(**{role: "pets"})))


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        (Options(embedder="x"), ("Age",), "predictor of records"),
        (Options(embedder="x"), (), "predictor of images"),
        (Options(classifier=Classifiers(with_image="x")), (), "predictor of images"),
        (Options(classifier=Classifiers(without_image="x")), (), "predictor of images"),
        (Options(classifier=Classifiers(orphan="x")), ("Age",), "predictor of records"),
    ],
)
def test_a_predictor_is_refused_in_a_role_that_it_was_not_trained_for(
    upload: Upload, options: Options, columns: tuple[str, ...], message: str
) -> None:
    upload.put_predictor("x", columns=columns)
    with pytest.raises(BadBundle, match=message):
        names(upload.lake, options, autogluon=True)


def test_a_predictor_that_needs_an_image_is_refused_for_records_without(upload: Upload) -> None:
    upload.put_predictor("x", missing="refuse")
    with pytest.raises(BadBundle, match="refuses records without an image"):
        names(upload.lake, Options(classifier=Classifiers(without_image="x")), autogluon=True)
