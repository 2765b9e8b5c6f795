"""The peers of start.py, run in the models environment: their models, and their answers.

python start_peers.py make FOLDER | vector WEIGHTS PHOTO | prediction PREDICTOR TABLE ROWS
"""

import sys
import time
from pathlib import Path


def make(folder: Path) -> None:
    """`clip.pt` and `clip`, a bundle of the same weights; two predictors of `pets`, and a bundle compiled from each."""
    import msgspec
    import open_clip
    import torch
    from transformers import ElectraConfig

    from models.tests.pets import make_pets, save_image_network, save_text_network, train_pair
    from pixlake_models.clip.export import export_open_clip
    from pixlake_models.commands.compile import compile_model
    from pixlake_models.exporting.export import Request
    from pixlake_models.exporting.writing import write_bundle

    torch.save(open_clip.create_model("ViT-B-32", pretrained=None).state_dict(), folder / "clip.pt")
    candidate = export_open_clip(Request("ViT-B-32", str(folder / "clip.pt")))
    # not proved: `pixlake models export` does that, and it takes a minute
    write_bundle(folder / "clip", msgspec.structs.replace(candidate.manifest, name="clip"), candidate.files)
    (folder / "pets").mkdir()
    pets = make_pets(folder / "pets")
    # those of the preset medium_quality; ElectraConfig's defaults are ELECTRA-small's
    eye = save_image_network(folder / "eye", "mobilenetv3_large_100", 224)
    networks = eye, save_text_network(folder / "reader", ElectraConfig())
    for predictor in train_pair(pets, folder / "predictors", networks):
        arguments = [predictor, "--rows", pets.table, "--output", folder / predictor.name]
        compile_model.main([str(each) for each in arguments], standalone_mode=False)


def answer_vector(weights: str, photo: str) -> None:
    """As open_clip's README has it."""
    import open_clip
    import torch
    from PIL import Image

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=weights)
    model.eval()
    with torch.no_grad():
        vector = model.encode_image(preprocess(Image.open(photo)).unsqueeze(0), normalize=True)
    print("answer", float(vector[0, 0]), flush=True)


def answer_prediction(predictor: str, table: str, count: int) -> None:
    """As AutoGluon's tutorials have it: a data frame, paths in it absolute."""
    import pandas
    from autogluon.multimodal import MultiModalPredictor

    from models.tests.pets import Pets

    model = MultiModalPredictor.load(predictor, verbosity=0)
    rows = Pets(Path(table).parent).rows()
    print("\nanswer", model.predict(rows.head(1)).iloc[0], flush=True)
    many = pandas.concat([rows] * (count // len(rows) + 1), ignore_index=True).head(count)
    begun = time.perf_counter()
    model.predict_proba(many)
    print("\nseconds", time.perf_counter() - begun)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        make(Path(rest[0]))
    elif what == "vector":
        answer_vector(*rest)
    else:
        answer_prediction(rest[0], rest[1], int(rest[2]))
