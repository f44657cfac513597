"""Runs put into the explorer, with what it needs of the other verbs."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from latentry.api.directions import look_for_directions
from latentry.api.invert import InversionSettings, invert_pictures
from latentry.api.opening import load, open_set_for_model, split_config_rows
from latentry.api.walks import spread, traverse
from latentry.errors import InputError
from latentry.explorer.live import data_name, newest_weights
from latentry.explorer.serve import check_address, serve
from latentry.explorer.shown import (
    DataRows,
    Found,
    Searched,
    Shown,
    Tools,
    dimension_control,
    direction_controls,
)
from latentry.files import read_json
from latentry.models.trained import TrainedModel
from latentry.training.run import open_run

_DIMENSIONS, _DIRECTIONS = 8, 6


def explore(
    runs: Sequence[Path | str] | Path | str,
    *,
    port: int = 7860,
    host: str = "127.0.0.1",
    token: str | None = None,
    device: str = "cpu",
    serve_training_data: bool = False,
    open_page: bool = False,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page on which anyone plays with the latent space, until Ctrl-C.

    Args:
        runs: run or model folders, shown side by side on the same latents; or one that is training.
        port: where; 0 takes any that is free.
        host: an address that other machines can reach needs a token.
        token: a secret that the page's address carries and every question shows.
        device: where the models compute.
        serve_training_data: show the training pictures nearest to a picture, and grids that hold real ones.
        open_page: open the page in the browser.
        ready: told the page's address once it can be opened.

    Raises:
        InputError: there is no such run, runs do not fit side by side, or the address may not or cannot be used.
    """
    check_address(host, port, token)
    shown = open_runs([runs] if isinstance(runs, Path | str) else runs, device=device)

    def tell(address: str) -> None:
        ready(address)
        if open_page:
            webbrowser.open(address)

    serve(shown, host=host, port=port, token=token, training_data=serve_training_data, ready=tell)


def open_runs(paths: Sequence[Path | str], *, device: str = "cpu") -> list[Shown]:
    """Runs as the explorer shows them; several must take the same latents and be told the same.

    Raises:
        InputError: there is no such run, or they do not fit together.
    """
    if not paths:
        raise InputError("explore needs at least one run folder; `latentry runs` lists the runs here")
    shown = [_open(Path(path), device) for path in paths]
    if len(shown) > 1:
        first, *others = shown
        for other in others:
            _fit_together(first, other)
    return shown


def _open(path: Path, device: str) -> Shown:
    tools = Tools(load=lambda: load(path, device=device), find=_find, search=_search, open_data=_open_data)
    weights = newest_weights(path)
    if weights:
        model = load(path, device=device)
        _refuse_points(str(path), model.network.image.points)
        data = str(model.facts.get("data", "pictures"))
        return Shown(path.resolve().name, path, tools, model, weights, model.config.recipe, data)
    run = open_run(path)
    _refuse_points(str(path), bool(read_json(run.data_file)["image"].get("points", False)))
    return Shown(path.resolve().name, path, tools, None, "", run.read_config().recipe, data_name(path))


def _refuse_points(name: str, points: bool) -> None:
    if points:
        raise InputError(f"{name} makes points of a toy world, and the explorer shows pictures; see latentry sample")


def _fit_together(first: Shown, other: Shown) -> None:
    """Refuse runs that no one set of sliders could move."""
    if first.model is None or other.model is None:
        waiting = first if first.model is None else other
        raise InputError(f"{waiting.path} has saved no weights yet; explore it alone until it has")
    a, b = first.model.network, other.model.network
    if a.latent.shape != b.latent.shape:
        raise InputError(
            f"runs side by side share their latents: {first.path} takes {list(a.latent.shape)}, {other.path} takes "
            f"{list(b.latent.shape)}; explore them one at a time"
        )
    if a.condition != b.condition:
        raise InputError(
            f"runs side by side are told the same, but {first.path} and {other.path} are conditioned differently; "
            "explore them one at a time"
        )


def _find(model: TrainedModel) -> Found:
    """The dimensions that change or hold most, and directions where the model keeps none."""
    controls, said = [], []
    try:
        found = traverse(model, _DIMENSIONS, stops=2)
        _, deviation = spread(model)
        unit = "nats of a picture" if found.by == "kl" else "of 255 mean change of a pixel"
        for name, score in zip(found.names, found.scores, strict=True):
            dim = int(name)
            controls.append(dimension_control(dim, deviation.shape, float(deviation[dim]), f"{score:.2f} {unit}"))
    except InputError as error:
        said.append(str(error))
    if not any(vector.method in ("principal", "activations", "weights") for vector in model.vectors):
        try:
            controls += direction_controls(look_for_directions(model, k=_DIRECTIONS))
        except InputError as error:
            said.append(str(error))
    return Found(controls, said)


def _search(model: TrainedModel, picture: np.ndarray, told: np.ndarray | None) -> Searched:
    """From the encoder's answer, the model's own or a fitted one; else from the nearest of many draws."""
    fitted = model.inverse is not None and model.inverse.encoder is not None
    start = "encoder" if model.network.encode is not None or fitted else "draws"
    found = invert_pictures(model, picture, told, InversionSettings(start=start))  # type: ignore[arg-type]
    return Searched(found.z, None if found.inside is None else bool(found.inside[0]))


def _open_data(model: TrainedModel) -> DataRows:
    images = open_set_for_model(model)
    return DataRows(images, *split_config_rows(images, model.config))
