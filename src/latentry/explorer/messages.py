"""What the page and the server say to each other; the OpenAPI description is made from these.

Latents travel as base64 of little-endian float32 in row-major order, so that they arrive bit for bit; pictures as
base64 of their uint8 pixels, [C, H, W].
"""

from __future__ import annotations

import base64
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from latentry.errors import InputError

MOST_ROWS = 64  # latents or seeds in one request
MOST_KEYFRAMES, MOST_FRAMES = 32, 240
_LATENT = Field(description="base64 of little-endian float32, row-major")

Latent = Annotated[str, _LATENT]
Rows = Annotated[list[Latent], Field(min_length=1, max_length=MOST_ROWS)]
Told = Annotated[list[list[float]], Field(max_length=MOST_ROWS, description="what a conditional model is told, [n, K]")]
RunNumber = Annotated[int, Field(ge=0, description="which of the runs, counted from 0")]


class WishMessage(BaseModel):
    """What a conditional model is asked for, in the data's own names and units."""

    class_name: str | None = None
    attributes: dict[str, float] = {}
    numbers: dict[str, float] = {}


class LatentsRequest(BaseModel):
    """Latents of seeds."""

    run: RunNumber = 0
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**53)]], Field(min_length=1, max_length=MOST_ROWS)]
    truncation: Annotated[float, Field(ge=0, le=4)] = 1.0
    sampler: str | None = None
    wish: WishMessage = WishMessage()


class LatentsReply(BaseModel):
    """Latents, and what the model is told with each; null where it is told nothing."""

    z: list[Latent]
    told: list[list[float]] | None


class DecodeRequest(BaseModel):
    """Latents to make pictures of."""

    run: RunNumber = 0
    z: Rows
    told: Told | None = None


class PicturesReply(BaseModel):
    """Pictures of one size."""

    channels: int
    height: int
    width: int
    pixels: Annotated[list[str], Field(description="base64 of uint8 [C, H, W], one a picture")]


class EncodeRequest(BaseModel):
    """A photograph to find the latent of."""

    run: RunNumber = 0
    picture: Annotated[str, Field(description="base64 of a PNG, JPEG, WebP, GIF or BMP file")]
    wish: WishMessage = WishMessage()
    search: Annotated[bool, Field(description="search for the nearest latent, from the encoder's if there is one")]


class EncodeReply(BaseModel):
    """The latent of a photograph; the pictures are the photograph as the model takes it, and the reconstruction."""

    z: Latent
    told: list[float] | None
    pictures: PicturesReply
    ssim: float
    inside: Annotated[bool | None, Field(description="whether the model knows such pictures; null if not measured")]


class ControlMessage(BaseModel):
    """A slider: the latent moves by the dose times the direction."""

    key: str
    name: str
    kind: Literal["attribute", "direction", "dimension"]
    direction: Latent
    low: float
    high: float
    recommended: float | None
    unit: str
    note: str


class ControlsReply(BaseModel):
    """Sliders that are found by looking at the model, which takes seconds."""

    controls: list[ControlMessage]
    said: Annotated[list[str], Field(description="what could not be found, and why")]


class RunRequest(BaseModel):
    """One of the runs."""

    run: RunNumber = 0


class ConditionMessage(BaseModel):
    """What a conditional model is told."""

    kind: Literal["class", "attributes", "numbers"]
    names: list[str]
    centre: list[float]
    spread: list[float]


class RunMessage(BaseModel):
    """One run, as the page needs it; what needs a model is empty until there is one."""

    name: str
    path: str
    recipe: str
    data: str
    ready: bool
    finished: bool
    log: bool
    picture: Annotated[list[int], Field(min_length=3, max_length=3, description="C, H, W")] | None
    latent: list[int]
    spherical: bool
    condition: ConditionMessage | None
    samplers: list[str]
    sampler: str | None
    controls: list[ControlMessage]
    encodes: bool
    searches: bool
    maps_data: bool


class ManifestReply(BaseModel):
    """Everything that is known before anything is drawn."""

    version: str
    runs: list[RunMessage]
    training_data: bool


class MapRequest(BaseModel):
    """A flat map of the latent space."""

    run: RunNumber = 0
    of: Literal["samples", "data"] = "samples"
    by: Literal["pca", "tsne"] = "pca"


class MapReply(BaseModel):
    """Places on the map, and the groups that they belong to."""

    places: list[Annotated[list[float], Field(min_length=2, max_length=2, description="x and y")]]
    groups: list[int]
    group_names: list[str]
    shown: Annotated[float | None, Field(description="share of the variance that a PCA map shows")]


class PlaceRequest(MapRequest):
    """A place on a map."""

    x: float
    y: float
    z: Latent


class PlaceReply(BaseModel):
    """A latent; on a PCA map that which keeps what the map does not show of the one that was given."""

    z: Latent


class WhereReply(BaseModel):
    """Where a latent lies on a map."""

    x: float
    y: float


class WhereRequest(MapRequest):
    """A latent to find on a map."""

    z: Latent


class NeighboursRequest(BaseModel):
    """A picture to find the like of among the training pictures."""

    run: RunNumber = 0
    z: Latent
    told: list[float] | None = None


class NeighboursReply(BaseModel):
    """Training pictures, nearest first, and the root mean squared difference of pixels, 0 to 255."""

    pictures: PicturesReply
    distances: list[float]


class AnimationRequest(BaseModel):
    """A walk through keyframes, as a file."""

    run: RunNumber = 0
    z: Annotated[list[Latent], Field(min_length=2, max_length=MOST_KEYFRAMES)]
    told: Told | None = None
    frames: Annotated[int, Field(ge=2, le=MOST_FRAMES)] = 48
    loop: bool = False
    fps: Annotated[float, Field(gt=0, le=50)] = 16.0
    kind: Literal["gif", "webp", "zip"] = "gif"


class CurveMessage(BaseModel):
    """One number over the images seen; null where it was not finite."""

    name: str
    images: list[int]
    train: list[float | None]
    held_out: list[float | None]


class FindingMessage(BaseModel):
    """One thing that the doctor found."""

    name: str
    evidence: str
    cause: str
    change: str


class LiveReply(BaseModel):
    """A run as it stands on disk now."""

    finished: bool
    progress: float
    images: int
    seconds: float
    images_per_sec: float | None
    curves: list[CurveMessage]
    findings: list[FindingMessage]
    grids: Annotated[list[str], Field(description="pictures that were saved on the way, oldest first")]
    newer_weights: Annotated[bool, Field(description="whether weights were saved since those that are shown")]


class Refusal(BaseModel):
    """Why a request was refused, in one line."""

    detail: str


def pack(rows: np.ndarray) -> list[str]:
    """Latents [n, ...] as they travel."""
    return [base64.b64encode(np.ascontiguousarray(row, "<f4").tobytes()).decode() for row in rows]


def unpack(rows: list[str], shape: tuple[int, ...]) -> np.ndarray:
    """Latents as they travelled, float32 [n, *shape].

    Raises:
        InputError: they are not of this shape, or not finite.
    """
    size, found = math.prod(shape), []
    for row in rows:
        try:
            content = base64.b64decode(row, validate=True)
        except ValueError:  # also of letters beyond ASCII
            raise InputError("a latent is not base64; send little-endian float32 as base64") from None
        if len(content) != 4 * size:
            wanted = f"this model's, of shape {list(shape)}, have {4 * size}"
            raise InputError(f"a latent has {len(content)} bytes; {wanted}")
        found.append(np.frombuffer(content, "<f4").reshape(shape).astype(np.float32))
    z = np.stack(found)
    if not np.isfinite(z).all():
        raise InputError("a latent holds a number that is not finite")
    return z


def pictures_reply(images: np.ndarray) -> PicturesReply:
    """Pictures uint8 [n, C, H, W] as they travel."""
    _, channels, height, width = images.shape
    pixels = [base64.b64encode(np.ascontiguousarray(image).tobytes()).decode() for image in images]
    return PicturesReply(channels=channels, height=height, width=width, pixels=pixels)


def told_rows(told: list[list[float]] | None, n: int) -> np.ndarray | None:
    """Conditions as they travelled, float32 [n, K].

    Raises:
        InputError: they differ in length, in number from the latents, or are not finite.
    """
    if told is None:
        return None
    if len(told) != n or len({len(row) for row in told}) != 1:
        raise InputError(f"told has {len(told)} rows for {n} latents; send one of K numbers for each")
    rows = np.asarray(told, np.float32)
    if not np.isfinite(rows).all():
        raise InputError("told holds a number that is not finite")
    return rows


def finite(value: Any) -> float | None:
    """The number, or None where it is none that JSON has."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
