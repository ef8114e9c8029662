"""Loads networks into OpenVINO and compiles them. The one module that imports it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parents[1] / "models"
"""The model files that come with this package."""
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (58.395, 57.12, 57.375)
"""Mean and standard deviation of the channels in ImageNet, by which most networks normalise."""

_CACHED_OPERATIONS = 1024
"""Operations compiled for a shape that a network keeps: those of about 15 widths of lines. With 64,
lines of another width are compiled again; with OpenVINO's default of 5,000 memory grows for weeks.
"""
_PROPERTIES = {
    "CPU_RUNTIME_CACHE_CAPACITY": _CACHED_OPERATIONS,
    "INFERENCE_PRECISION_HINT": "f32",  # OpenVINO's default is bfloat16 where there is such a unit
}
_BFLOAT16 = "BF16"
"""Of OpenVINO's names for what a processor is capable of."""


def _openvino() -> Any:
    # openvino imports this package where it is installed; it resolves an analytics host and writes
    # an id file into the home folder. None in its place fails that import, which openvino allows.
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
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.has_bfloat16 = _BFLOAT16 in capabilities
        """Whether the processor computes in bfloat16, which takes half the time of float32."""

    def load(self, path: Path) -> Any:
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
        in_bfloat16: bool = False,
    ) -> Any:
        """The compiled network; `(pixel - mean) / scale` of each channel is its first operation.

        It computes in float32; with `in_bfloat16` in bfloat16 on a processor that has it.
        """
        openvino = self._openvino
        steps = openvino.preprocess.PrePostProcessor(network)
        image = steps.input()
        image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        image.preprocess().convert_element_type(openvino.Type.f32).mean(list(mean)).scale(
            list(scale)
        )
        image.model().set_layout(openvino.Layout("NCHW"))
        properties: dict[str, int | str] = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": streams,
        }
        if in_bfloat16 and self.has_bfloat16:
            properties["INFERENCE_PRECISION_HINT"] = "bf16"
        return self._core.compile_model(steps.build(), "CPU", properties)

    def with_shares(self, network: Any) -> Any:
        """The network with two outputs, the logits and the probability of each step's best class.

        The softmax at its end is replaced: of 18,710 probabilities a step only one is needed. Which
        class is the best one is left to the caller: OpenVINO's TopK takes a tenth of the time.
        Raises `ValueError` for a network that does not end in a softmax.
        """
        from openvino import opset13 as ops

        softmax = network.outputs[0].get_node().input_value(0).get_node()
        if softmax.get_type_name() != "Softmax":
            raise ValueError("the recognition network does not end in a softmax")
        logits = softmax.input_value(0)
        classes = ops.constant(np.array([2]))
        best = ops.reduce_max(logits, classes, True)
        total = ops.reduce_sum(ops.exp(ops.subtract(logits, best)), classes, True)
        share = ops.divide(ops.constant(np.float32(1.0)), total)
        outputs = [ops.result(logits), ops.result(share.output(0))]
        return self._openvino.Model(outputs, network.get_parameters())

    def queue(self, compiled: Any) -> Any:
        """An asynchronous queue that runs several inputs at a time, one a stream."""
        return self._openvino.AsyncInferQueue(compiled, self.threads)
