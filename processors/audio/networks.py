"""Small networks in ONNX, run by onnxruntime."""

from __future__ import annotations

from typing import Any


def session(model: bytes) -> Any:  # Any: onnxruntime has no types
    """Return what runs a model of these bytes, on one thread: a pool of workers uses the others."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
