"""Questions in the words of `messages.py`, answered by models; without a server, so that each can be called alone."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from latentry._version import __version__
from latentry.errors import InputError
from latentry.explorer import messages as m
from latentry.explorer.latent_map import DrawnMap, draw_map
from latentry.explorer.live import has_log, newest_weights, read_grid, read_live
from latentry.explorer.shown import Control, Found, Shown, nearest_training, vector_controls
from latentry.explorer.uploads import read_upload
from latentry.latent import through
from latentry.metrics.similarity import ssim
from latentry.models.trained import TrainedModel
from latentry.models.wish import Wish
from latentry.report.animation import save_animation
from latentry.report.grid import to_png


class ForbiddenError(InputError, PermissionError):
    """What the server was not told to show."""


class Desk:
    """Answers about some runs.

    Args:
        runs: which.
        training_data: whether training pictures may be shown.
    """

    def __init__(self, runs: list[Shown], training_data: bool) -> None:
        self.runs, self.training_data = runs, training_data

    def manifest(self) -> m.ManifestReply:
        """All runs, and what each can do."""
        return m.ManifestReply(
            version=__version__, runs=[_run_message(run) for run in self.runs], training_data=self.training_data
        )

    def latents(self, asked: m.LatentsRequest) -> m.LatentsReply:
        """Latents of seeds, and what the model is told with them."""
        model = self._run(asked.run).ready
        told = model.conditions(asked.seeds, _wish(asked.wish))
        if asked.sampler is not None and asked.sampler not in model.samplers:
            raise InputError(f"unknown sampler {asked.sampler[:40]!r}; this model has {', '.join(model.samplers)}")
        z = model.latents(asked.seeds, sampler=asked.sampler, truncation=asked.truncation, conditions=told)
        return m.LatentsReply(z=m.pack(z), told=None if told is None else told.tolist())

    def to_decode(self, asked: m.DecodeRequest) -> tuple[TrainedModel, np.ndarray, np.ndarray | None]:
        """What is to be decoded, checked before it is put together with what others ask."""
        model = self._run(asked.run).ready
        return model, *_checked(model, asked.z, asked.told)

    def encode(self, asked: m.EncodeRequest) -> m.EncodeReply:
        """The latent of a photograph."""
        run = self._run(asked.run)
        model = run.ready
        picture = read_upload(asked.picture, model.network.image, model.config.data.fit)
        spec, wish = model.condition, _wish(asked.wish)
        if spec is not None and spec.kind == "class" and wish.class_name is None:
            raise InputError("this model is told the class; choose what the photograph shows, and drop it again")
        told = wish.told(1, spec)
        inside = None
        if asked.search:
            searched = run.tools.search(model, picture, told)
            z, inside = searched.z, searched.inside
        else:
            z = model.encode(picture, told)
        made = model.decode(z, told)
        return m.EncodeReply(
            z=m.pack(z)[0],
            told=None if told is None else told[0].tolist(),
            pictures=m.pictures_reply(np.concatenate([picture, made])),
            ssim=float(ssim(picture, made)[0]),
            inside=inside,
        )

    def controls(self, number: int) -> m.ControlsReply:
        """Sliders that take a look at the model to find."""
        run = self._run(number)
        found: Found = run.once("controls", lambda: run.tools.find(run.ready))
        return m.ControlsReply(controls=[_control_message(control) for control in found.controls], said=found.said)

    def map(self, asked: m.MapRequest) -> m.MapReply:
        """A map, drawn when it is first asked for."""
        drawn = self._map(asked)
        return m.MapReply(
            places=[[float(x), float(y)] for x, y in drawn.map.places],
            groups=drawn.groups.tolist(),
            group_names=list(drawn.group_names),
            shown=drawn.map.shown,
        )

    def place(self, asked: m.PlaceRequest) -> m.PlaceReply:
        """The latent at a place of a map."""
        shape = self._run(asked.run).ready.network.latent.shape
        z = m.unpack([asked.z], shape)[0]
        found = self._map(asked).map.at(np.array([asked.x, asked.y]), z.reshape(-1).astype(np.float64))
        return m.PlaceReply(z=m.pack(found.reshape(1, *shape))[0])

    def where(self, asked: m.WhereRequest) -> m.WhereReply:
        """The place of a latent on a map."""
        z = m.unpack([asked.z], self._run(asked.run).ready.network.latent.shape)
        x, y = self._map(asked).map.where(z.reshape(-1).astype(np.float64))
        return m.WhereReply(x=float(x), y=float(y))

    def neighbours(self, asked: m.NeighboursRequest) -> m.NeighboursReply:
        """The training pictures nearest to a picture."""
        if not self.training_data:
            raise ForbiddenError("training pictures are not shown here; start latentry explore --serve-training-data")
        run = self._run(asked.run)
        z, told = _checked(run.ready, [asked.z], None if asked.told is None else [asked.told])
        pictures, distances = nearest_training(run, run.ready.decode(z, told)[0])
        return m.NeighboursReply(pictures=m.pictures_reply(pictures), distances=distances.tolist())

    def animation(self, asked: m.AnimationRequest) -> tuple[bytes, str]:
        """A walk through keyframes as a file, and its media type."""
        model = self._run(asked.run).ready
        z, told = _checked(model, asked.z, asked.told)
        spherical = model.network.latent.prior == "normal"
        z = through(z, asked.frames, spherical=spherical, loop=asked.loop)
        told = None if told is None else through(told, asked.frames, spherical=False, loop=asked.loop)
        frames = model.decode(z, told)
        if asked.kind == "zip":
            return _zipped(frames), "application/zip"
        with TemporaryDirectory() as folder:  # what writes animations writes files
            file = Path(folder) / f"walk.{asked.kind}"
            save_animation(file, frames, fps=asked.fps)
            return file.read_bytes(), f"image/{asked.kind}"

    def live(self, number: int) -> m.LiveReply:
        """How a run trains or has trained."""
        run = self._run(number)
        return read_live(run.path, run.weights, training_data=self.training_data)

    def grid(self, number: int, name: str) -> bytes:
        """A picture that the run saved on the way."""
        return read_grid(self._run(number).path, name, training_data=self.training_data)

    def reload(self, number: int) -> m.RunMessage:
        """The run with its newest weights."""
        run = self._run(number)
        run.take_newer(newest_weights(run.path))
        return _run_message(run)

    def _run(self, number: int) -> Shown:
        if not 0 <= number < len(self.runs):
            raise InputError(f"there is no run {number}; this server shows {len(self.runs)}, counted from 0")
        return self.runs[number]

    def _map(self, asked: m.MapRequest) -> DrawnMap:
        run = self._run(asked.run)
        drawn: DrawnMap = run.once(("map", asked.of, asked.by), lambda: draw_map(run, asked.of, asked.by))
        return drawn


def _run_message(run: Shown) -> m.RunMessage:
    model = run.model
    network = None if model is None else model.network
    spec = None if network is None else network.condition
    encodes = model is not None and (model.network.encode is not None or _fitted(model))
    return m.RunMessage(
        name=run.name,
        path=str(run.path),
        recipe=run.recipe,
        data=run.data,
        ready=model is not None,
        finished=newest_weights(run.path) == "model",
        log=has_log(run.path),
        picture=None if network is None else list(network.image.shape),
        latent=[] if network is None else list(network.latent.shape),
        spherical=network is not None and network.latent.prior == "normal",
        condition=None
        if spec is None
        else m.ConditionMessage(
            kind=spec.kind, names=list(spec.names), centre=list(spec.centre), spread=list(spec.spread)
        ),
        samplers=[] if model is None else model.samplers,
        sampler=None if network is None else network.samplers.chosen,
        controls=[] if model is None else [_control_message(control) for control in vector_controls(model)],
        encodes=encodes,
        searches=network is not None and len(network.latent.shape) == 1,  # a grid of codes has no gradient
        maps_data=encodes,
    )


def _fitted(model: TrainedModel) -> bool:
    """Whether an encoder was fitted to a model that was trained without."""
    return model.inverse is not None and model.inverse.encoder is not None


def _control_message(control: Control) -> m.ControlMessage:
    return m.ControlMessage(
        key=control.key,
        name=control.name,
        kind=control.kind,
        direction=m.pack(control.direction[None])[0],
        low=-control.reach,
        high=control.reach,
        recommended=control.recommended,
        unit=control.unit,
        note=control.note,
    )


def _wish(message: m.WishMessage) -> Wish:
    return Wish(message.class_name, message.attributes, message.numbers)


def _checked(model: TrainedModel, z: list[str], told: list[list[float]] | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Latents and conditions as arrays, refused where they are not the model's."""
    rows, conditions = m.unpack(z, model.network.latent.shape), m.told_rows(told, len(z))
    spec = model.network.condition
    if (spec is None) != (conditions is None) or (conditions is not None and conditions.shape[1] != spec.size):  # type: ignore[union-attr]
        expected = "nothing" if spec is None else f"{spec.size} numbers a picture"
        raise InputError(f"this model is told {expected}; send told accordingly")
    return rows, conditions


def _zipped(frames: np.ndarray) -> bytes:
    """Frames as PNG files in a ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, frame in enumerate(frames):
            archive.writestr(f"frame-{number:04d}.png", to_png(frame))
    return buffer.getvalue()
