"""OpenVINO, made quiet: the one place that imports it. Loads networks, knows not what for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

_SHAPES_KEPT = 64
"""Compiled shapes a network remembers; OpenVINO's own 5,000 let memory grow for ever."""
_PROPERTIES = {
    "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES_KEPT,
    "INFERENCE_PRECISION_HINT": "f32",  # else processors with bfloat16 use it, and read otherwise
}


def _openvino() -> Any:
    # openvino imports this package when it is there; it looks up an analytics host and writes an
    # id file under the home folder. None in its place makes that import fail, which is allowed for.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class Networks:
    """Loads ONNX files for the CPU. Inputs become (N, H, W, 3) uint8, normalised in the graph."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._openvino = _openvino()
        self._core = self._openvino.Core()
        self._core.set_property("CPU", _PROPERTIES)

    def read(self, path: Path) -> Any:
        """The network as in the file. Raises `FileNotFoundError`."""
        if not path.is_file():
            raise FileNotFoundError(path.name)
        return self._core.read_model(path)

    def compile(
        self,
        network: Any,
        *,
        mean: tuple[float, float, float],
        scale: tuple[float, float, float],
        streams: int = 1,
    ) -> Any:
        """Ready to run: `(pixel - mean) / scale` a channel comes first, in the graph."""
        openvino = self._openvino
        steps = openvino.preprocess.PrePostProcessor(network)
        image = steps.input()
        image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        image.preprocess().convert_element_type(openvino.Type.f32).mean(list(mean)).scale(
            list(scale)
        )
        image.model().set_layout(openvino.Layout("NCHW"))
        limits = {"INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": streams}
        return self._core.compile_model(steps.build(), "CPU", limits)

    def best_classes(self, network: Any) -> Any:
        """The same network, answering the best class and its probability instead of all of them.

        Takes the softmax off its end: of 18,710 probabilities a step only one is looked at.
        """
        from openvino import opset13 as ops

        softmax = network.outputs[0].get_node().input_value(0).get_node()
        if softmax.get_type_name() != "Softmax":
            raise ValueError("the recognition network does not end in a softmax")
        logits = softmax.input_value(0)
        best = ops.topk(logits, ops.constant(np.int32(1)), 2, "max", "none")
        total = ops.reduce_sum(
            ops.exp(ops.subtract(logits, best.output(0))), ops.constant(np.array([2])), True
        )
        share = ops.divide(ops.constant(np.float32(1.0)), total)
        outputs = [ops.result(best.output(1)), ops.result(share.output(0))]
        return self._openvino.Model(outputs, network.get_parameters())

    def queue(self, compiled: Any) -> Any:
        """Runs several inputs side by side, one a stream."""
        return self._openvino.AsyncInferQueue(compiled, self.threads)
