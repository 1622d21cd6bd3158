# SPDX-License-Identifier: GPL-3.0-or-later
"""TFLite networks of plain convolutions, run by torch.

MediaPipe's wheel carries its networks as TFLite files, but its Python interface only runs whole chains of them. Read by
ourselves they can be driven one by one and in batches, on any device that torch knows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Arrays = dict[int, torch.Tensor]

_NUMBERS = {0: np.float32, 1: np.float16, 2: np.int32}
_SAME_PADDING = 0
_ACTIVATIONS: dict[int, Callable[[torch.Tensor], torch.Tensor]] = {
    0: lambda values: values,
    1: functional.relu,
    3: functional.relu6,
}


class Network(torch.nn.Module):
    """A TFLite network: (N, C, H, W) pictures in, the outputs called `outputs` out, in that order.

    Pictures inside have their channels second, as in torch; an output of four dimensions stays so, others have the
    order of the file. What the wanted outputs do not need is not computed.
    Raises ValueError if the network has layers that are not known here.
    """

    def __init__(self, file: bytes, outputs: Sequence[str]) -> None:
        super().__init__()
        graph, buffers, names = _read(file)
        constants = {row: _constant(t, buffers) for row, t in enumerate(graph.tensors) if buffers[t.buffer] is not None}
        rows = {tensor.name.decode(): row for row, tensor in enumerate(graph.tensors)}
        self._input = int(graph.inputs[0])
        self._outputs = [rows[name] for name in outputs]
        self._steps: list[tuple[list[int], int, Callable[..., torch.Tensor]]] = []
        wanted, chosen = set(self._outputs), []
        for operator in reversed(graph.operators):
            if int(operator.outputs[0]) in wanted:
                wanted |= {int(row) for row in operator.inputs}
                chosen.append(operator)
        for operator in reversed(chosen):
            name = names[operator.opcodeIndex]
            sources, target = [int(row) for row in operator.inputs], int(operator.outputs[0])
            if name in ("DENSIFY", "DEQUANTIZE"):  # of weights: they are stored sparse and in half precision
                constants[target] = constants[sources[0]]
                continue
            build = _LAYERS.get(name)
            if build is None:
                raise ValueError(f"no layer {name} is known")
            shapes = [list(graph.tensors[row].shape) for row in (sources[0], target)]
            layer = build(operator.builtinOptions, [constants.get(row) for row in sources], *shapes)
            if isinstance(layer, torch.nn.Module):
                self.add_module(f"layer_{target}", layer)
            self._steps.append(([row for row in sources if row not in constants], target, layer))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The outputs, each (N, ...)."""
        values: Arrays = {self._input: pictures}
        for sources, target, layer in self._steps:
            values[target] = layer(*(values[row] for row in sources))
        return tuple(values[row] for row in self._outputs)


@lru_cache(maxsize=4)
def load(file: bytes, outputs: tuple[str, ...], side: int) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """The network with its layers bound together, a third faster. side: of its pictures; others may be given, too.

    Made once in a process: it never changes, and torch does not give back what it was made of.
    """
    network = Network(file, outputs).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that it will go in some later torch, and that sizes are computed, as they should
        return torch.jit.freeze(torch.jit.trace(network, torch.zeros(1, 3, side, side), check_trace=False))


class _Convolution(torch.nn.Module):
    def __init__(
        self, options: Any, constants: list[Any], shape: list[int], result: list[int], depthwise: bool
    ) -> None:
        super().__init__()
        order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
        weights = np.ascontiguousarray(constants[1].transpose(order), np.float32)
        self.weight = torch.nn.Parameter(torch.from_numpy(weights), False)
        self.bias = torch.nn.Parameter(torch.from_numpy(np.array(constants[2], np.float32)), False)
        self._stride = (options.strideH, options.strideW)
        self._groups = weights.shape[0] if depthwise else 1
        self._activate = _ACTIVATIONS[options.fusedActivationFunction]
        self._before = self._after = (0, 0)
        if options.padding == _SAME_PADDING:
            missing = [
                max((out - 1) * stride + kernel - size, 0)
                for out, stride, kernel, size in zip(
                    result[1:3], self._stride, weights.shape[2:], shape[1:3], strict=True
                )
            ]
            self._before = (missing[0] // 2, missing[1] // 2)
            self._after = (missing[0] - self._before[0], missing[1] - self._before[1])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        (top, left), (bottom, right) = self._before, self._after
        padding = self._before
        if self._before != self._after:
            values, padding = functional.pad(values, (left, right, top, bottom)), (0, 0)
        made = functional.conv2d(values, self.weight, self.bias, self._stride, padding, groups=self._groups)
        return self._activate(made)


def _add(options: Any, *_: Any) -> Callable[..., torch.Tensor]:
    activate = _ACTIVATIONS[options.fusedActivationFunction]
    return lambda a, b: activate(a + b)


def _pad(_: Any, constants: list[Any], *__: Any) -> Callable[..., torch.Tensor]:
    _, rows, columns, channels = ([int(value) for value in pair] for pair in constants[1])
    return lambda values: functional.pad(values, (*columns, *rows, *channels))


def _reshape(_: Any, __: Any, ___: list[int], result: list[int]) -> Callable[..., torch.Tensor]:
    """To (N, values) or (N, anchors, values): of larger pictures there are more anchors."""
    last = int(result[-1])

    def layer(values: torch.Tensor) -> torch.Tensor:
        rows = values.permute(0, 2, 3, 1) if values.dim() == 4 else values
        return rows.reshape(rows.shape[0], -1, last) if len(result) == 3 else rows.reshape(rows.shape[0], -1)

    return layer


def _depth_to_space(options: Any, *_: Any) -> Callable[..., torch.Tensor]:
    block = options.blockSize

    def layer(values: torch.Tensor) -> torch.Tensor:  # the block comes first in the order of the channels here
        count, channels, height, width = values.shape
        parts = values.reshape(count, block, block, channels // block**2, height, width)
        return parts.permute(0, 3, 4, 1, 5, 2).reshape(count, channels // block**2, height * block, width * block)

    return layer


def _resize(_: Any, __: Any, shape: list[int], result: list[int]) -> Callable[..., torch.Tensor]:
    factors = (result[1] / shape[1], result[2] / shape[2])
    return lambda values: functional.interpolate(
        values, scale_factor=factors, mode="bilinear", align_corners=False, recompute_scale_factor=True
    )


def _concatenate(options: Any, *_: Any) -> Callable[..., torch.Tensor]:
    def layer(*values: torch.Tensor) -> torch.Tensor:
        axis = options.axis % values[0].dim()
        return torch.cat(values, {0: 0, 1: 2, 2: 3, 3: 1}[axis] if values[0].dim() == 4 else axis)

    return layer


def _largest(options: Any, *_: Any) -> Callable[..., torch.Tensor]:
    return lambda values: functional.max_pool2d(
        values, (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
    )


_LAYERS: dict[str, Callable[..., Callable[..., torch.Tensor]]] = {
    "CONV_2D": partial(_Convolution, depthwise=False),
    "DEPTHWISE_CONV_2D": partial(_Convolution, depthwise=True),
    "ADD": _add,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "DEPTH_TO_SPACE": _depth_to_space,
    "RESIZE_BILINEAR": _resize,
    "CONCATENATION": _concatenate,
    "MAX_POOL_2D": _largest,
    "LOGISTIC": lambda *_: torch.sigmoid,
}


def _read(file: bytes) -> tuple[Any, list[bytes | None], list[str]]:
    """The graph, the contents of its buffers, and the names of its operators' codes."""
    from mediapipe.tasks.metadata import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(file, 0))
    codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    buffers = [bytes(b.data) if b.data is not None and len(b.data) else None for b in model.buffers]
    names = [codes[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    return model.subgraphs[0], buffers, names


def _constant(tensor: Any, buffers: list[bytes | None]) -> np.ndarray:
    values = np.frombuffer(buffers[tensor.buffer] or b"", _NUMBERS[tensor.type])
    return values.reshape(tensor.shape) if tensor.sparsity is None else _dense(tensor, values)


def _dense(tensor: Any, values: np.ndarray) -> np.ndarray:
    """A tensor of which the values that are not zero are stored (TFLite's sparse format, without blocks)."""
    if list(tensor.sparsity.traversalOrder) != list(range(len(tensor.shape))):
        raise ValueError("sparse weights in blocks are not known")
    place, coordinates = np.zeros(1, np.int64), []
    for dimension in tensor.sparsity.dimMetadata:
        if dimension.format == 0:  # dense
            size = np.full(len(place), dimension.denseSize)
            first, index = place * dimension.denseSize, np.tile(np.arange(dimension.denseSize), len(place))
        else:
            segments = np.array(dimension.arraySegments.values, np.int64)
            size, first, index = segments[place + 1] - segments[place], segments[place], None
        coordinates = [np.repeat(each, size) for each in coordinates]
        place = np.repeat(first - np.cumsum(size) + size, size) + np.arange(size.sum())
        coordinates.append(np.array(dimension.arrayIndices.values, np.int64)[place] if index is None else index)
    out = np.zeros(tensor.shape, np.float32)
    out[tuple(coordinates)] = values[place]
    return out
