"""What the page asks of a lake beside a search."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from pixlake.api.app import Api, make_app
from pixlake.api.bodies import Limits
from pixlake.api.views import make_views
from pixlake.iceberg.lakes import Lake
from pixlake.pages.experimentmap import make_map
from pixlake.search.chosen import Chosen
from tests.builders.exhibitions import COPY, RUN, fill
from tests.builders.galleries import ADDRESS, COLORS, EXPERIMENT, OTHER
from tests.builders.zoo import put_rows


def choose(_: Lake, __: str, ___: str | None, where: str) -> Chosen:
    """The condition is the path."""
    return Chosen.of([pa.RecordBatch.from_pylist([{"experiment_id": EXPERIMENT, "image_path": where}])])


def serve(lake: Lake) -> TestClient:
    return TestClient(make_app(lake, choose=choose, more=make_views), ADDRESS, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def exhibition(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading only."""
    return fill(Lake.at(str(tmp_path_factory.mktemp("exhibition"))))


@pytest.fixture(scope="module")
def shown(exhibition: Lake) -> Iterator[TestClient]:
    with serve(exhibition) as client:
        yield client


def test_every_route_is_described(shown: TestClient, exhibition: Lake) -> None:
    routes = {route.path.replace(":path", "") for route in Api(exhibition, Limits(), more=make_views).routes()}
    assert routes == shown.get("/openapi.json").json()["paths"].keys()


def test_images_are_listed_by_path_of_one_experiment_or_for_which_a_condition_holds(shown: TestClient) -> None:
    names = [each["image_path"] for each in shown.get(f"/images?experiment={EXPERIMENT}").json()]
    assert sorted(names) == sorted([COPY, *(f"of/{name}.png" for name in COLORS)])
    assert len(shown.get("/images?n=2").json()) == 2
    assert [each["image_path"] for each in shown.get("/images?where=of/dark.png").json()] == ["of/dark.png"]
    one = shown.get("/images", params={"experiment": EXPERIMENT, "path": "of/blue?#é.png"}).json()
    assert one == [{"image_path": "of/blue?#é.png", "record_id": "blue?#é", "experiment_id": EXPERIMENT}]
    assert shown.get(f"/images?experiment={EXPERIMENT}&path=none").json() == []
    assert shown.get("/images?experiment=none").status_code == 404


def test_an_image_has_its_records_prediction_and_attributes(shown: TestClient) -> None:
    images = [
        {"experiment_id": EXPERIMENT, "image_path": "of/green.png", "record_id": "green"},
        {"experiment_id": EXPERIMENT, "image_path": COPY},
        {"experiment_id": "none", "image_path": "none", "record_id": "none"},
    ]
    green, *others = shown.post("/describe", json=images).json()
    assert green | {"predicted_by": ""} == {
        "label": "cold color", "score": 0.75, "value": None, "predicted_by": "",
        "attributes": {"family": "cold", "it's": "so"},
    }  # fmt: skip
    assert others == [dict.fromkeys(("label", "score", "value", "predicted_by")) | {"attributes": {}}] * 2
    assert shown.post("/describe", json=images[:1] * 1_001).status_code == 422
    assert shown.post("/describe", json=[{"image_path": "a"}]).status_code == 422
    assert shown.post("/describe", content=b"[").status_code == 400


def test_an_image_without_a_record_has_its_own_prediction(own_gallery: Lake) -> None:
    rows = [{"image_path": "of/red.png", "label": "red", "score": float("nan"), "value": 2.5}]
    put_rows(own_gallery, "predictions", rows, "own", EXPERIMENT)
    image = {"experiment_id": EXPERIMENT, "image_path": "of/red.png"}
    with serve(own_gallery) as client:
        (known,) = client.post("/describe", json=[image]).json()
    assert (known["label"], known["score"], known["value"]) == ("red", None, 2.5)


def test_filters_have_the_values_of_predictions_and_attributes(shown: TestClient) -> None:
    found = {each["name"]: each for each in shown.get(f"/filters?experiment={EXPERIMENT}").json()}
    assert list(found) == ["label", "predicted_by", "score", "family", "it's", "width", "height"]
    values = [{"value": "cold", "count": 2}, {"value": "warm", "count": 2}]
    assert found["family"] == {
        "name": "family", "is_attribute": True, "is_number": False, "is_whole": True, "values": values,
    }  # fmt: skip
    assert found["score"]["is_number"]
    assert [each["name"] for each in shown.get(f"/filters?experiment={OTHER}").json()] == ["width", "height"]


def test_duplicates_are_groups_with_the_one_to_keep_first(shown: TestClient) -> None:
    found = shown.get(f"/duplicates?experiment={EXPERIMENT}&threshold=0.9999").json()
    (group,) = [group for group in found["groups"] if COPY in [image["image_path"] for image in group["images"]]]
    assert "of/red.png" in [image["image_path"] for image in group["images"]]
    assert (found["total"], found["spare"]) == (len(found["groups"]), sum(each["size"] - 1 for each in found["groups"]))
    assert "image_uri" not in group["images"][0]
    for asked in ("threshold=0", "threshold=x", "threshold=nan", "experiment="):
        assert shown.get(f"/duplicates?experiment={EXPERIMENT}&{asked}").status_code == 422
    assert shown.get("/duplicates?experiment=none").status_code == 404


def test_a_map_is_made_once_for_an_experiments_rows(own_gallery: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(lake: Lake, experiment_id: str, *arguments: object) -> object:
        made.append(experiment_id)
        return make_map(lake, experiment_id, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("pixlake.api.views.make_map", make)
    with serve(own_gallery) as client:
        page = client.get(f"/map?experiment={EXPERIMENT}")
        assert client.get(f"/map?experiment={EXPERIMENT}").content == page.content
        put_rows(own_gallery, "records", [{"record_id": "r", "image_paths": [], "attributes": []}], "a", OTHER)
        client.get(f"/map?experiment={EXPERIMENT}")
        assert made == [EXPERIMENT]
        put_rows(own_gallery, "records", [{"record_id": "r", "image_paths": [], "attributes": []}], "b", EXPERIMENT)
        client.get(f"/map?experiment={EXPERIMENT}")
    assert made == [EXPERIMENT] * 2
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert str(own_gallery.folder) not in page.text


def test_a_map_that_cannot_be_is_a_page_that_says_why(shown: TestClient, exhibition: Lake) -> None:
    for experiment, status, said in ((OTHER, 422, "a map takes 3 to"), ("none", 404, "no embeddings")):
        page = shown.get(f"/map?experiment={experiment}")
        assert (page.status_code, said in page.text) == (status, True)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert str(exhibition.folder) not in page.text
    assert shown.get("/map").status_code == 422


def test_rejects_are_counted_by_reason_and_listed_newest_first(own_gallery: Lake) -> None:
    failed = {"source": f"{own_gallery.uri}/uploads/a.zip", "stage": "plan", "reason": "BadZip", "detail": "bad"}
    rows = [{"source": f"{n}.png", "stage": "embed", "reason": "empty", "detail": "no bytes"} for n in range(3)]
    put_rows(own_gallery, "rejects", [failed, *rows], "rejects", EXPERIMENT)
    with serve(own_gallery) as client:
        found = client.get("/rejects?n=2").json()
        one = client.get("/rejects?reason=BadZip").json()
        none = client.get(f"/rejects?experiment={OTHER}").json()
    assert found["reasons"] == {"empty": 3, "BadZip": 1}
    assert [row["source"] for row in found["rejects"]] == ["0.png", "1.png"]
    assert [row["source"] for row in one["rejects"]] == ["the lake/uploads/a.zip"]
    assert one["rejects"][0]["uploaded_at"] == "2026-11-20T09:30:00+00:00"
    assert none == {"reasons": {}, "rejects": []}


def test_executions_have_their_reports(shown: TestClient) -> None:
    (run,) = shown.get("/executions").json()
    assert (run["execution_id"], run["upload_uri"], run["report"]) == (RUN, "colors.zip", True)
    assert shown.get(f"/executions?experiment={OTHER}").json() == []
    report = shown.get(f"/reports/{RUN}")
    assert "Report of colors" in report.text
    assert "sandbox" in report.headers["content-security-policy"]
    for name in ("none", "..%2Fcatalog", "-"):
        assert shown.get(f"/reports/{name}").status_code == 404


def test_a_deployed_api_has_none_of_it(client: TestClient) -> None:
    assert client.get("/rejects").status_code == client.get(f"/map?experiment={EXPERIMENT}").status_code == 404
    assert "/map" not in client.get("/openapi.json").json()["paths"]
