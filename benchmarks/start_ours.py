"""Pixlake's answers for start.py, each in a process of its own.

python start_ours.py photo FILE | vector LAKE MODEL PHOTO | prediction LAKE MODEL TABLE ROWS
"""

import sys
from collections.abc import Callable


def draw_photo(file: str) -> None:
    """A photograph of a megapixel."""
    from pathlib import Path

    from benchmarks.embed import photograph

    Path(file).write_bytes(photograph(0, (1152, 864)))


def answer_vector(lake: str, model: str, photo: str) -> None:
    """As `pixlake search` has it."""
    from pathlib import Path

    from pixlake.images.decoders import Decoders, Limits
    from pixlake.inference.loaded import open_embedder

    embedder = open_embedder(lake, model)
    loaded = Decoders(Limits()).load(Path(photo).read_bytes(), embedder.preprocessing)
    print("answer", float(embedder.embed_tensors([loaded.tensor])[0, 0]), flush=True)


def answer_predictions(lake: str, model: str, table: str, count: str) -> None:
    """The first row of the table, then `count` of its rows, as Classify has them."""
    import csv
    import itertools
    import time
    from pathlib import Path

    from pixlake.concurrency import map_bounded
    from pixlake.cores import available_cores
    from pixlake.images.decoders import Decoders, Limits
    from pixlake.inference.batches import grouped
    from pixlake.inference.encoders import Example
    from pixlake.inference.loaded import load_classifier

    classifier = load_classifier(lake, model, threads=1)
    decoders = Decoders(Limits())
    with Path(table).open(newline="") as file:
        rows = list(csv.DictReader(file))

    def example(row: dict[str, str]) -> Example:
        names = [name for name in row["photos"].split(";") if name][: classifier.most_images]
        photos = [(Path(table).parent / name).read_bytes() for name in names]
        return classifier.make_example(row, [classifier.prepare_image(photo, decoders) for photo in photos])

    def answer(group: list[dict[str, str]]) -> int:
        return len(classifier.predict([example(row) for row in group]))

    (first,) = classifier.predict([example(rows[0])])
    assert first
    print("answer", first.label, flush=True)
    begun, source = time.perf_counter(), itertools.islice(itertools.cycle(rows), int(count))
    assert sum(map_bounded(answer, grouped(source, 32), available_cores())) == int(count)
    print("seconds", time.perf_counter() - begun)


PROGRAMS: dict[str, Callable[..., None]] = {
    "photo": draw_photo,
    "vector": answer_vector,
    "prediction": answer_predictions,
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
