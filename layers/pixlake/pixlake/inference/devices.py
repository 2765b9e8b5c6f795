"""ONNX Runtime's sessions on the machine's cores, or on its GPU by the CUDA provider.

The provider is in another build of ONNX Runtime, `onnxruntime-gpu`, which a user installs in place of the usual one.
"""

import ctypes
import sys
from contextlib import redirect_stdout

import onnxruntime as ort

from pixlake.errors import BadRequest
from pixlake.settings import Device

_CUDA, _CORES = "CUDAExecutionProvider", "CPUExecutionProvider"
_DRIVER = "libcuda.so.1"
_INSTALL = "pip uninstall -y onnxruntime; pip install 'onnxruntime-gpu[cuda,cudnn]'"
# TensorFloat-32 rounds to 10 bits; vectors of both processors stand in one column, so both are of float32
_FLOAT32 = {"use_tf32": "0"}


def choose_device(asked: str) -> Device:
    """The device of that name, or for `auto` the GPU where there is one. BadRequest for a GPU that there is not."""
    if asked == "auto":
        return Device.CUDA if _CUDA in ort.get_available_providers() and _count_gpus() else Device.CPU
    if asked == Device.CUDA:
        _require_gpu()
    return Device(asked)


def start_session(data: bytes, options: ort.SessionOptions, device: Device) -> ort.InferenceSession:
    """A session on `device`. Raises BadRequest where the GPU does not start, and errors without a common base for a
    graph that does not load."""
    if device is Device.CPU:
        return ort.InferenceSession(data, options, [_CORES])
    _require_gpu()
    with redirect_stdout(sys.stderr):  # it prints which libraries there are not
        ort.preload_dlls()
    session = ort.InferenceSession(data, options, [(_CUDA, _FLOAT32), _CORES], enable_fallback=0)
    if _CUDA not in session.get_providers():
        raise BadRequest("ONNX Runtime's CUDA provider does not start: are CUDA and cuDNN those that it needs?")
    return session


def _require_gpu() -> None:
    """BadRequest, with what to do, where there is no GPU that ONNX Runtime can use."""
    if _CUDA not in ort.get_available_providers():
        raise BadRequest(f"this ONNX Runtime has no CUDA provider. To get it: {_INSTALL}")
    if not _count_gpus():
        raise BadRequest("the CUDA driver finds no GPU here (see nvidia-smi); run on the cores, by --device cpu")


def _count_gpus() -> int:
    """As the driver says; 0 where there is no driver."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value
