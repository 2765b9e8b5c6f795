"""Bundles, decoding, preprocessing and ONNX Runtime, and the two steps that use them: `embed` and `classify`.

ONNX Runtime reports its use to its makers, and keeps an id of the device in the home folder (or warns that it cannot,
where the file system is read-only). That can only be declined before it is first imported, so here.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
