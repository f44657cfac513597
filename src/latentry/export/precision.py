"""Smaller files: weights stored in 16 or 8 bits. Arithmetic stays float32, so every runtime can run them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Precision = Literal["float32", "float16", "int8"]
_FEWEST = 256  # smaller weights, biases above all, stay as they are: they cost nothing and matter most
_LARGEST_HALF = 65504.0


def store_weights(content: bytes, precision: Precision) -> bytes:
    """An ONNX file with its large weights stored in fewer bits, and turned back into float32 when it is loaded.

    float16 rounds each; int8 rounds each to a multiple of its channel's largest weight over 127.

    Args:
        content: the file in float32.
        precision: how weights are stored.
    """
    if precision == "float32":
        return content
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(content)
    graph, kept, nodes = model.graph, [], []
    axes = _output_axes(graph)
    for initializer in graph.initializer:
        size = int(np.prod(initializer.dims))
        if initializer.data_type != TensorProto.FLOAT or size < _FEWEST:
            kept.append(initializer)
            continue
        weight, name = numpy_helper.to_array(initializer), initializer.name
        stored = f"{name}.{precision}"
        if precision == "float16":
            half = weight.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
            kept.append(numpy_helper.from_array(half, stored))
            nodes.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
            continue
        axis = axes.get(name, 0)
        rounded, scale = quantise(weight, axis)
        kept += [numpy_helper.from_array(rounded, stored), numpy_helper.from_array(scale, f"{name}.scale")]
        nodes.append(helper.make_node("DequantizeLinear", [stored, f"{name}.scale"], [name], axis=axis))
    others: list[Any] = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend([*nodes, *others])
    return bytes(model.SerializeToString())


def quantise(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """A weight as int8, and what each channel along `axis` is to be multiplied by, float32 [channels]."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weight / scale).clip(-127, 127).astype(np.int8), scale.ravel()


def _output_axes(graph: Any) -> dict[str, int]:
    """Which axis of a weight, by name, are the outputs of its layer where that is not the first."""
    axes = {}
    for node in graph.node:
        flags = {attribute.name: attribute.i for attribute in node.attribute}
        if node.op_type in ("ConvTranspose", "MatMul") or (node.op_type == "Gemm" and not flags.get("transB")):
            axes[node.input[1]] = 1
    return axes
