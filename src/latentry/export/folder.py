"""The files of an exported model: its graphs, and the manifest that goes with them."""

from __future__ import annotations

import dataclasses
import hashlib
from importlib import metadata
from typing import Any

from latentry._version import __version__
from latentry.export.graphs import OPSET, Graph, decoder_graph, encoder_graph, sampler_graph
from latentry.export.manifest import FORMAT, PIXELS, SEEDS, VERSION, pack_array, pack_vectors
from latentry.export.precision import Precision
from latentry.models.trained import TrainedModel
from latentry.models.vqvae import VQVAE

_OWN_PICTURES = ("faces", "shapes", "ring", "grid")  # drawn by this package, so nobody else's rights are in the weights


def model_graphs(model: TrainedModel) -> dict[str, Graph]:
    """Every part of a model that is exported, by name."""
    encoder = encoder_graph(model)
    graphs = {"decoder": decoder_graph(model), **({} if encoder is None else {"encoder": encoder})}
    for name in model.samplers:
        graph = sampler_graph(model, name)
        if graph is not None:
            graphs[f"sampler-{name}"] = graph
    return graphs


def build_manifest(
    model: TrainedModel,
    graphs: dict[str, Graph],
    files: dict[str, bytes],
    precision: Precision,
    licence: str | None,
) -> dict[str, Any]:
    """What goes into `manifest.json`.

    Args:
        model: what is exported.
        graphs: its parts by name.
        files: their ONNX files by the same names, as written.
        precision: how decoder and encoder store their weights.
        licence: of the weights, in the owner's words.
    """
    condition, network = model.condition, model.network
    told = None
    if condition is not None and network.conditions is not None:
        examples = pack_array(network.conditions.examples.cpu().numpy())
        told = {**dataclasses.asdict(condition), "examples": examples}
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": f"{model.config.recipe} on {model.facts.get('data', 'pictures')}",
        "recipe": model.config.recipe,
        "family": model.config.family,
        "data": model.facts.get("data"),
        "fit": model.config.data.fit,
        "licence": licence_note(str(model.facts.get("data", "")), licence),
        "image": dataclasses.asdict(model.image),
        "pixels": None if model.image.points else PIXELS,
        "latent": {"shape": list(model.latent_shape), "prior": network.latent.prior},
        "condition": told,
        "seeds": SEEDS,
        "sampler": model.sampler,
        "samplers": {name: _sampler_record(model, name, graphs) for name in model.samplers},
        "vectors": pack_vectors(model.vectors),
        "precision": precision,
        "opset": OPSET,
        "graphs": {
            name: {
                "file": f"{name}.onnx",
                "inputs": {key: ["n", *row.shape] for key, row in graph.inputs.items()},
                "output": graph.output,
                "bytes": len(files[name]),
                "sha256": hashlib.sha256(files[name]).hexdigest(),
            }
            for name, graph in graphs.items()
        },
        "versions": {
            "latentry": __version__,
            **{name: metadata.version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")},
        },
    }


def is_own_data(data: str) -> bool:
    """Whether this package draws the pictures of that name."""
    return data in _OWN_PICTURES


def licence_note(data: str, licence: str | None) -> str:
    """What may be done with the weights, as far as it is known."""
    if licence is not None:
        return licence
    if is_own_data(data):
        return "Apache-2.0 (trained on pictures that latentry draws itself)"
    return "not stated; it depends on the rights in the training pictures, and is for who publishes the weights to say"


def _sampler_record(model: TrainedModel, name: str, graphs: dict[str, Graph]) -> dict[str, Any]:
    """How one sampler's latents are made of a seed's noise."""
    size, network = model.source(name).noise_size, model.network
    record: dict[str, Any] = {"uniform": size.uniform, "normal": size.normal}
    graph = f"sampler-{name}" if f"sampler-{name}" in graphs else None
    if isinstance(network, VQVAE) and name == "prior":
        codebook = pack_array(network.quantiser.codebook.detach().cpu().numpy())
        return {"kind": "tokens", **record, "graph": graph, "codebook": codebook, "truncation": "temperature"}
    kind = "normal" if graph is None else "graph"
    centre = pack_array(model.centre(name))
    return {"kind": kind, **record, "graph": graph, "centre": centre, "truncation": "towards centre"}
