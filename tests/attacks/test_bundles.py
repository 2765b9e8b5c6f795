"""A bundle whose graph takes all the time or memory that it gets is refused, and says which graph and what to do."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixlake.bundles.folders import open_folder
from pixlake.errors import ModelTimeout
from pixlake.inference.embedder import Embedder
from pixlake.inference.limits import Limits
from pixlake.inference.memory import divide
from pixlake.settings import InferenceSettings
from tests.builders.commands import run
from tests.builders.hostile_graphs import (
    endless_loop,
    endless_scan,
    large_matrices,
    large_tensor,
    long_operator,
    repeated,
)
from tests.builders.tiny import SIDE, BundleLake, encode
from tests.project import ROOT

IMAGE = np.zeros((3, SIDE, SIDE), np.float32)
ENDLESS = pytest.mark.parametrize("graph", [endless_loop, long_operator])
MakeGraph = Callable[[], bytes]

_EMBED = """
import sys
from pathlib import Path
from pixlake.messages import BatchRequest, parse
from pixlake.settings import InferenceSettings
from pixlake.steps.embed import embed
from tests.builders.tiny import BundleLake

lake = BundleLake(Path(sys.argv[1]))
settings = InferenceSettings(lake.uri, aws_lambda_function_memory_size=1_000)
request = lake.request("embed", sys.argv[2], lake.images("a.png"))
try:
    embed(request, settings)
except Exception as error:
    print(type(error).__name__, error)
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.fixture
def lake(tmp_path: Path) -> BundleLake:
    return BundleLake(tmp_path)


def put(lake: BundleLake, graph: bytes) -> str:
    """A bundle whose image tower is this graph."""
    return lake.embedder(files={"image.onnx": graph}, text=None, dimensions=3)


def verify(lake: BundleLake, *options: str) -> str:
    """What the command says of a bundle that it refuses."""
    result = run("models", "verify", "tiny", "--lake", str(lake.folder), *options)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    return result.stderr


# the thread of an operator is left behind: this one's ends soon after
@pytest.mark.parametrize(
    "graph", [endless_loop, endless_scan, partial(long_operator, 60_000)], ids=["loop", "scan", "operator"]
)
def test_a_model_that_never_answers_is_a_timeout_and_is_not_asked_again(lake: BundleLake, graph: MakeGraph) -> None:
    embedder = Embedder(open_folder(lake.uri, put(lake, graph())), 1, limits=Limits(seconds=0.2))
    with pytest.raises(ModelTimeout, match=r"models/tiny/image\.onnx: it did not answer within 0\.4 s"):
        embedder.embed_tensors([IMAGE])
    embedder._image_tower()._limits = Limits(seconds=10_000)
    with pytest.raises(ModelTimeout, match="MAX_MODEL_SECONDS"):
        embedder.embed_tensors([IMAGE])


@ENDLESS
def test_the_trial_of_a_model_that_never_answers_ends_and_names_the_graph(lake: BundleLake, graph: MakeGraph) -> None:
    put(lake, graph())
    said = verify(lake, "--timeout", "30")
    assert "models/tiny/image.onnx: it did not answer within 3 s" in said


def test_a_trial_that_does_not_end_is_stopped(lake: BundleLake) -> None:
    """ONNX Runtime multiplies the matrices as it loads the graph."""
    put(lake, large_matrices(9_000))
    assert "models/tiny: its trial takes more than 2 s; give it longer" in verify(lake, "--timeout", "2")


def test_the_trial_of_a_model_above_its_memory_names_the_graph_and_the_limit(lake: BundleLake) -> None:
    put(lake, large_tensor(1_000_000_000))
    said = verify(lake, "--memory", "1GB")
    assert "models/tiny/image.onnx: the graph fails" in said
    assert "it takes more memory for tensors than the 1,024 MB that there are; give it more" in said


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")
def test_a_function_refuses_a_model_above_its_memory_and_goes_on(lake: BundleLake) -> None:
    model = put(lake, large_tensor(100_000_000))
    lake.put("a.png", encode(Image.new("RGB", (SIDE, SIDE))))
    command = [sys.executable, "-c", _EMBED, str(lake.folder), model]
    said, peak = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")[:2]
    assert said.startswith("BadBundle ")
    assert "models/tiny/image.onnx" in said
    megabytes = divide(InferenceSettings("", aws_lambda_function_memory_size=1_000)).arena >> 20
    assert f"it takes more memory for tensors than the {megabytes} MB that there are" in said
    assert int(peak) < 500


_EMBED_MANY = """
import sys
from pathlib import Path
import numpy as np
from pixlake.bundles.folders import open_folder
from pixlake.inference.embedder import Embedder
from pixlake.inference.limits import Limits

embedder = Embedder(open_folder(Path(sys.argv[1]).as_uri(), "tiny"), 1, limits=Limits(memory=100 << 20))
tensors = [np.full((3, 8, 8), number, np.float32) for number in range(9)]
alone = [embedder.embed_tensors([each])[0] for each in tensors]
print(np.allclose(embedder.embed_tensors(tensors), alone, equal_nan=True))
"""


def test_a_batch_that_takes_too_much_memory_is_inferred_in_parts(lake: BundleLake) -> None:
    """40 MB for an example, of 100."""
    put(lake, repeated(10_000_000))
    command = [sys.executable, "-c", _EMBED_MANY, str(lake.folder)]
    assert subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout == "True\n"
