"""Loaded models and what they answer, by ONNX Runtime or AutoGluon. Imports `bundles`, `images` and the shared modules.

ONNX Runtime reports its use to its makers, and keeps an id of the device in the home folder (or warns that it cannot,
where the file system is read-only). That can only be declined before it is first imported, so here.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
