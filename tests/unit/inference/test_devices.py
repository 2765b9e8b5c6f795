"""A GPU is used where it is asked for and there is one; where there is none, that is said and nothing runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
from click.testing import CliRunner

from pixlake.bundles.folders import open_folder
from pixlake.errors import BadRequest
from pixlake.inference import devices
from pixlake.inference.devices import choose_device, start_session
from pixlake.inference.embedder import Embedder
from pixlake.inference.limits import Limits
from pixlake.settings import Device, InferenceSettings, from_environment
from pixlake_cli.main import cli
from tests.builders.tiny import BundleLake, image_graph

CORES, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
SetMachine = Callable[[list[str], int], None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SetMachine:
    """Sets ONNX Runtime's providers, and the number of GPUs that the driver finds."""

    def set_machine(providers: list[str], gpus: int) -> None:
        monkeypatch.setattr(ort, "get_available_providers", lambda: providers)
        monkeypatch.setattr(devices, "_count_gpus", lambda: gpus)

    return set_machine


@pytest.mark.parametrize(
    ("providers", "gpus", "chosen"),
    [([CUDA, CORES], 1, Device.CUDA), ([CUDA, CORES], 0, Device.CPU), ([CORES], 1, Device.CPU)],
)
def test_auto_is_the_gpu_where_there_is_one(
    machine: SetMachine, providers: list[str], gpus: int, chosen: Device
) -> None:
    machine(providers, gpus)
    assert choose_device("auto") is chosen


@pytest.mark.parametrize(
    ("providers", "gpus", "said"), [([CORES], 1, "pip install 'onnxruntime-gpu"), ([CUDA, CORES], 0, "finds no GPU")]
)
def test_a_gpu_that_is_not_there_is_refused_with_what_to_do(
    machine: SetMachine, providers: list[str], gpus: int, said: str
) -> None:
    machine(providers, gpus)
    with pytest.raises(BadRequest, match=said):
        choose_device("cuda")


def test_a_machine_without_a_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_DRIVER", "libno-such-driver.so")
    assert devices._count_gpus() == 0


@pytest.mark.parametrize("command", [["run", "."], ["retry", "pets-1"], ["models", "try", "photo-lite0", "--on", "."]])
def test_commands_refuse_a_gpu_that_is_not_there(machine: SetMachine, command: list[str]) -> None:
    machine([CORES], 0)
    ended = CliRunner().invoke(cli, [*command, "--lake", "lake", "--device", "cuda"])
    assert ended.exit_code == 2
    assert "no CUDA provider" in ended.output


def test_containers_have_no_gpu(machine: SetMachine, tmp_path: Path) -> None:
    machine([CUDA, CORES], 1)
    lake = tmp_path / "lake"
    ended = CliRunner().invoke(cli, ["run", str(tmp_path), "--lake", str(lake), "--device", "cuda", "--containers"])
    assert (ended.exit_code, lake.exists()) == (2, False)
    assert "run on the cores" in ended.output


def test_the_gpu_computes_float32_and_the_cores_what_it_cannot(
    machine: SetMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine([CUDA, CORES], 1)
    asked = _double_session(monkeypatch, [CUDA, CORES])
    start_session(b"", ort.SessionOptions(), Device.CUDA)
    assert asked["providers"] == [(CUDA, {"use_tf32": "0"}), CORES]
    assert not asked["enable_fallback"]


def test_a_provider_that_does_not_start_is_never_replaced_in_silence(
    machine: SetMachine, monkeypatch: pytest.MonkeyPatch, bundle_lake: BundleLake
) -> None:
    """ONNX Runtime would go on with the cores."""
    machine([CUDA, CORES], 1)
    _double_session(monkeypatch, [CORES])
    folder = open_folder(bundle_lake.uri, bundle_lake.embedder(files={"image.onnx": image_graph()}, text=None))
    with pytest.raises(BadRequest, match="does not start"):
        Embedder(folder, limits=Limits(device=Device.CUDA)).load_images()


def test_workers_take_the_device_from_their_environment() -> None:
    settings = from_environment(InferenceSettings, {"LAKE_URI": "s3://lake", "DEVICE": "cuda"})
    assert settings.device is Device.CUDA
    with pytest.raises(BadRequest, match="DEVICE must be Device: 'tpu'"):
        from_environment(InferenceSettings, {"LAKE_URI": "s3://lake", "DEVICE": "tpu"})


def _double_session(monkeypatch: pytest.MonkeyPatch, started: list[str]) -> dict[str, Any]:
    """Sessions that have the providers `started`; what the last one was asked for."""
    asked: dict[str, Any] = {}

    class Session:
        def __init__(self, _data: bytes, _options: ort.SessionOptions, providers: list[Any], **others: Any) -> None:
            asked.update(others, providers=providers)

        def get_providers(self) -> list[str]:
            return started

    monkeypatch.setattr(ort, "InferenceSession", Session)
    return asked
