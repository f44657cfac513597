"""The server: requests in, answers out. What it may be asked stands in `messages.py`, who may ask in `guard.py`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from latentry._version import __version__
from latentry.errors import InputError
from latentry.explorer.batching import BusyError, Decoder, Workshop
from latentry.explorer.desk import Desk
from latentry.explorer.guard import Guard
from latentry.explorer.messages import (
    AnimationRequest,
    ControlsReply,
    DecodeRequest,
    EncodeReply,
    EncodeRequest,
    LatentsReply,
    LatentsRequest,
    LiveReply,
    ManifestReply,
    MapReply,
    MapRequest,
    NeighboursReply,
    NeighboursRequest,
    PicturesReply,
    PlaceReply,
    PlaceRequest,
    Refusal,
    RunMessage,
    RunRequest,
    WhereReply,
    WhereRequest,
    pictures_reply,
)
from latentry.explorer.shown import Shown

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": meaning}
    for status, meaning in {
        401: "the token is missing or wrong",
        413: "the request is too large",
        422: "the request cannot be used; detail says why",
        503: "too much waits already; try again in a moment",
    }.items()
}


def make_app(
    runs: list[Shown],
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    training_data: bool = False,
    started: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The server's application.

    Args:
        runs: what it shows, side by side.
        host: the address that it will listen on.
        token: what every question must show; None where only this machine can ask.
        training_data: whether training pictures may be shown.
        started: called when it is about to answer, and to end in order when it is told to.
    """
    desk = Desk(runs, training_data)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.decoder, app.state.drawing, app.state.workshop = Decoder(), Workshop(32), Workshop(8)
        started()
        yield
        for part in (app.state.workshop, app.state.drawing, app.state.decoder):
            part.close()

    app = FastAPI(
        title="latentry explore",
        version=__version__,
        description="Draw, decode, encode and map latents of trained image generators.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(_models(desk))
    app.include_router(_slow(desk))
    app.include_router(_runs(desk))
    app.include_router(_page())
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BusyError, _busy)
    app.add_middleware(Guard, host=host, token=token)
    return app


def _models(desk: Desk) -> APIRouter:
    """What must answer while a slider moves."""
    router = APIRouter(prefix="/api", responses=_REFUSALS)

    @router.get("/manifest")
    async def manifest() -> ManifestReply:
        """Everything that is known before anything is drawn."""
        return desk.manifest()

    @router.post("/latents")
    async def latents(asked: LatentsRequest, request: Request) -> LatentsReply:
        """Latents of seeds; the same seed gives the same latent as `latentry sample`."""
        return await asyncio.wrap_future(request.app.state.drawing.order(desk.latents, asked))

    @router.post("/decode")
    async def decode(asked: DecodeRequest, request: Request) -> PicturesReply:
        """Pictures of latents; requests that wait together share one forward pass."""
        model, z, told = desk.to_decode(asked)
        return pictures_reply(await asyncio.wrap_future(request.app.state.decoder.order(model, z, told)))

    return router


def _slow(desk: Desk) -> APIRouter:
    """What takes seconds, one after another, while sliders go on answering."""
    router = APIRouter(prefix="/api", responses=_REFUSALS)

    @router.post("/encode")
    async def encode(asked: EncodeRequest, request: Request) -> EncodeReply:
        """The latent of a photograph, by the encoder or by a search."""
        return await asyncio.wrap_future(request.app.state.workshop.order(desk.encode, asked))

    @router.post("/controls")
    async def controls(asked: RunRequest, request: Request) -> ControlsReply:
        """Sliders for the most active dimensions, and for directions that no label names."""
        return await asyncio.wrap_future(request.app.state.workshop.order(desk.controls, asked.run))

    @router.post("/map")
    async def draw_map(asked: MapRequest, request: Request) -> MapReply:
        """A flat map of the latent space."""
        return await asyncio.wrap_future(request.app.state.workshop.order(desk.map, asked))

    @router.post("/place")
    async def place(asked: PlaceRequest, request: Request) -> PlaceReply:
        """The latent at a place of a map."""
        return await asyncio.wrap_future(request.app.state.drawing.order(desk.place, asked))

    @router.post("/where")
    async def where(asked: WhereRequest, request: Request) -> WhereReply:
        """The place of a latent on a map."""
        return await asyncio.wrap_future(request.app.state.drawing.order(desk.where, asked))

    @router.post("/neighbours", responses={403: {"model": Refusal}})
    async def neighbours(asked: NeighboursRequest, request: Request) -> NeighboursReply:
        """The training pictures nearest to a picture; only of a server that was told to show them."""
        return await asyncio.wrap_future(request.app.state.workshop.order(desk.neighbours, asked))

    @router.post("/animation", response_class=Response)
    async def animation(asked: AnimationRequest, request: Request) -> Response:
        """A walk through keyframes, as a file."""
        content, kind = await asyncio.wrap_future(request.app.state.workshop.order(desk.animation, asked))
        return Response(content, media_type=kind)

    return router


def _runs(desk: Desk) -> APIRouter:
    """How a run trains or has trained."""
    router = APIRouter(prefix="/api", responses=_REFUSALS)

    @router.get("/live/{run}")
    def live(run: int) -> LiveReply:
        """Curves, findings and saved pictures, as they stand on disk now."""
        return desk.live(run)

    @router.get("/live/{run}/grids/{name}", response_class=Response)
    def grid(run: int, name: str) -> Response:
        """One of the saved pictures that `live` names."""
        return Response(desk.grid(run, name), media_type="image/png")

    @router.post("/reload")
    async def reload(asked: RunRequest, request: Request) -> RunMessage:
        """Take the newest weights of a run that is training."""
        return await asyncio.wrap_future(request.app.state.workshop.order(desk.reload, asked.run))

    return router


def _page() -> APIRouter:
    """The page's files, read once: no name in a request reaches the disk."""
    router = APIRouter(include_in_schema=False)
    folder = resources.files("latentry.explorer") / "page"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    @router.get("/")
    @router.get("/{name}")
    def page(name: str = "index.html") -> Response:
        ending = name[name.rfind(".") :]
        if name not in files or ending not in _TYPES:
            return JSONResponse({"detail": "there is no such page"}, 404)
        return Response(files[name], media_type=_TYPES[ending])

    return router


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 403 if isinstance(error, PermissionError) else 422)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"detail": f"{where or 'the request'}: {first['msg']}"}, 422)


async def _busy(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503, {"retry-after": "1"})
