import pyarrow as pa

from pixlake.pages.described import Column, describe_images
from pixlake.schemas import TABLES

IMAGES = pa.table(
    {
        "image_path": ["a.png", "b.png", "c.png"],
        "record_id": pa.array(["a", None, "c"], pa.string()),
        "width": pa.array([30, 20, 10], pa.int32()),
        "height": pa.array([1, 2, 3], pa.int32()),
    }
)


def describe(predictions: list[dict[str, object]], records: list[dict[str, object]]) -> dict[str, Column]:
    rows = {"predictions": predictions, "records": records}

    def read(name: str, columns: list[str]) -> pa.Table:
        schema = pa.schema([TABLES[name].columns.field(column) for column in columns])
        return pa.Table.from_pylist(rows[name], schema)

    return {column.name: column for column in describe_images(IMAGES, read)}


def attributes(record_id: str, **values: str | None) -> dict[str, object]:
    return {"record_id": record_id, "attributes": list(values.items())}


def values(column: Column) -> list[object]:
    found: list[object] = column.values.to_pylist()
    return found


def test_predictions_are_found_by_record_or_by_image() -> None:
    columns = describe(
        [
            {"record_id": "c", "image_path": None, "label": "cat", "score": 0.5, "value": None, "model": "m@1"},
            {
                "record_id": None,
                "image_path": "b.png",
                "label": "dog",
                "score": float("nan"),
                "value": None,
                "model": "m@1",
            },
            {"record_id": "other", "image_path": None, "label": "cow", "score": 0.1, "value": None, "model": "m@1"},
        ],
        [],
    )
    assert values(columns["label"]) == [None, "dog", "cat"]
    assert values(columns["score"]) == [None, None, 0.5], "no number where the score is none"
    assert values(columns["predicted_by"]) == [None, "m@1", "m@1"]
    assert "value" not in columns, "nothing has one"


def test_attributes_are_columns_those_of_most_images_first() -> None:
    columns = describe([], [attributes("c", place="x" * 500, rare="1"), attributes("a", place="hill", none=None)])
    assert list(columns) == ["place", "rare", "width", "height"]
    assert values(columns["rare"]) == [None, None, "1"]
    assert [text and len(str(text)) for text in values(columns["place"])] == [4, None, 200]


def test_many_numbers_are_a_scale_few_are_names() -> None:
    images = pa.table(
        {
            "image_path": [f"{n}.png" for n in range(20)],
            "record_id": [str(n) for n in range(20)],
            "width": pa.array([1] * 20, pa.int32()),
            "height": pa.array([1] * 20, pa.int32()),
        }
    )
    rows = [
        attributes(str(n), price=f" {n}.5" if n else "", fold=str(n % 3), odd="nan" if n else "1") for n in range(20)
    ]

    def read(name: str, columns: list[str]) -> pa.Table:
        schema = pa.schema([TABLES[name].columns.field(column) for column in columns])
        return pa.Table.from_pylist(rows if name == "records" else [], schema)

    columns = {column.name: column for column in describe_images(images, read)}
    assert {name for name, column in columns.items() if column.is_number} == {"price", "width", "height"}
    assert values(columns["price"])[:2] == [None, 1.5]
    assert values(columns["fold"])[:4] == ["0", "1", "2", "0"]
