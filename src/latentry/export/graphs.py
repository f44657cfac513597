"""The parts of a model as ONNX graphs: each a function of arrays, with the batch left open.

Letters: n latents, C H W picture, K numbers in a condition, U uniform and N normal numbers, T positions, M codes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from latentry.errors import InputError
from latentry.models.sampler import FromNoise, GaussianMixture, Noise
from latentry.models.trained import TrainedModel

OPSET = 18
_TRACED = 3  # rows of the example that a graph is traced with; neither 0 nor 1, which torch takes for constants


@dataclass(frozen=True)
class Graph:
    """A part of a model, to be written as one file.

    Attributes:
        module: computes it.
        inputs: one row of each input by name, in order; the batch stands in front of it.
        output: the name of what it gives.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    output: str


class Decoder(nn.Module):
    """Latents, and conditions if any, to pictures in [-1, 1], [n, C, H, W]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures."""
        return cast(Tensor, self.model.decode(z, condition))  # type: ignore[operator]


class Encoder(nn.Module):
    """Pictures in [-1, 1], [n, C, H, W], and conditions if any, to latents."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents."""
        return cast(Tensor, self.model.encode(x, condition))  # type: ignore[operator]


class FittedEncoder(nn.Module):
    """The encoder that `latentry invert RUN --fit` leaves with a generator."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents."""
        return cast(Tensor, self.encoder(x) if condition is None else self.encoder(x, condition)).float()


class Drawing(nn.Module):
    """Uniform numbers [n, U], normal ones [n, N], and conditions if any, to latents."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.source = source

    def forward(self, uniform: Tensor, normal: Tensor, condition: Tensor | None = None) -> Tensor:
        """Latents."""
        return cast(FromNoise, self.source).from_noise(Noise(uniform, normal), condition)


class MixtureDrawing(nn.Module):
    """The same of a mixture under a condition: ONNX solves no triangular systems, so that is done beforehand."""

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        self.mixture = mixture
        self.register_buffer("whitening", mixture.whitening())

    def forward(self, uniform: Tensor, normal: Tensor, condition: Tensor) -> Tensor:
        """Latents."""
        return self.mixture.from_noise(Noise(uniform, normal), condition, cast(Tensor, self.whitening))


class NextToken(nn.Module):
    """Tokens so far, int64 [n, T], and conditions if any, to the logits of each position, [n, T, M]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits; those of a position do not depend on the tokens at it and behind it."""
        model = self.model
        return cast(Tensor, model.token_prior(tokens, model.quantiser.codebook, condition))  # type: ignore[operator, union-attr]


def decoder_graph(model: TrainedModel) -> Graph:
    """The decoder or generator."""
    return Graph(Decoder(model.network), {"z": torch.zeros(model.latent_shape), **_condition(model)}, "x")


def encoder_graph(model: TrainedModel) -> Graph | None:
    """The encoder, the model's own or one fitted to it; None where there is neither."""
    module: nn.Module
    if model.network.encode is not None:
        module = Encoder(model.network)
    elif model.inverse is not None and model.inverse.encoder is not None:
        module = FittedEncoder(model.inverse.encoder)
    else:
        return None
    return Graph(module, {"x": torch.zeros(model.image.shape), **_condition(model)}, "z")


def sampler_graph(model: TrainedModel, name: str) -> Graph | None:
    """What makes latents of noise; None where the normal numbers are the latent.

    Of a prior that draws tokens one after another it is one step: the logits.
    """
    condition, network = _condition(model), model.network
    if name == "prior" and network.tempered:
        positions = torch.zeros(model.source(name).noise_size.uniform, dtype=torch.int64)
        return Graph(NextToken(network), {"tokens": positions, **condition}, "logits")
    if name == "prior" and network.latent.prior == "normal":
        return None
    source = model.source(name)
    noise = {"uniform": torch.zeros(source.noise_size.uniform), "normal": torch.zeros(source.noise_size.normal)}
    if isinstance(source, GaussianMixture) and condition:
        return Graph(MixtureDrawing(source), {**noise, **condition}, "z")
    return Graph(Drawing(cast(nn.Module, source)), {**noise, **condition}, "z")


def check_installed() -> None:
    """Refuse to begin without what exports and what compares.

    Raises:
        InputError: a package is not there.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            raise InputError(f"exporting needs {name}, which is not installed; pip install 'latentry[export]'")


def to_onnx(graph: Graph) -> bytes:
    """The graph as the bytes of an ONNX file, the weights inside; `check_installed` comes first."""
    rows = tuple(row.expand(_TRACED, *row.shape).clone() for row in graph.inputs.values())
    batch = torch.export.Dim("n")
    shapes = tuple({0: batch} for _ in rows)
    with warnings.catch_warnings(), _quiet(), torch.no_grad():
        warnings.simplefilter("ignore")  # about its own internals
        # Traced here and not by the ONNX exporter, which falls back on a fixed batch where it finds no open one.
        traced = torch.export.export(graph.module.eval(), rows, dynamic_shapes=shapes)
        program = torch.onnx.export(
            traced,
            input_names=list(graph.inputs),
            output_names=[graph.output],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto.SerializeToString()


def _condition(model: TrainedModel) -> dict[str, Tensor]:
    return {} if model.condition is None else {"condition": torch.zeros(model.condition.size)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter logs and prints what it tries."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
