"""The server as a process: an address of its own, and an end at Ctrl-C."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from urllib.parse import quote

from latentry.errors import InputError
from latentry.explorer.guard import is_loopback
from latentry.explorer.shown import Shown

_SHORTEST_TOKEN = 8


def check_address(host: str, port: int, token: str | None) -> None:
    """Refuse an address that others can reach without a token.

    Raises:
        InputError: no token, one that can be guessed, or no such port.
    """
    if not is_loopback(host) and token is None:
        raise InputError(
            f"host (={host}) lets other machines in; add --token with a secret word, or leave --host out and use ssh -L"
        )
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise InputError(f"token has {len(token)} letters; give at least {_SHORTEST_TOKEN} of plain ASCII")
    if not 0 <= port < 65536:
        raise InputError(f"port (={port}) must be from 1 to 65535, or 0 for any that is free")


def serve(
    runs: list[Shown], *, host: str, port: int, token: str | None, training_data: bool, ready: Callable[[str], None]
) -> None:
    """Answer until Ctrl-C.

    Args:
        runs: what is shown.
        host, port: where; port 0 takes any that is free.
        token: what must be shown.
        training_data: whether training pictures may be shown.
        ready: told the address of the page once it can be opened.

    Raises:
        InputError: the address is taken, or not of this machine.
    """
    check_address(host, port, token)
    import uvicorn

    from latentry.explorer.server import make_app

    with _listen(host, port) as listening:
        address = _address(host, listening.getsockname()[1], token)
        app = make_app(runs, host=host, token=token, training_data=training_data, started=lambda: ready(address))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2, ws="none"
        )
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended in order by the time that it passes this on
            uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a browser which opens the page at once finds it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"host (={host}) is no address of this machine: {error}") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        free = _next_free(family, kind, host, port)
        advice = "--port 0 takes any that is free" if free is None else f"try --port {free}, which is free"
        raise InputError(f"cannot listen on {host}, port {port}: {error.strerror}; {advice}") from error
    return listening


def _next_free(family: int, kind: int, name: str, port: int) -> int | None:
    """The first free port of the hundred after one."""
    for following in range(port + 1, min(port + 101, 65536)):
        with socket.socket(family, kind) as trial, contextlib.suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((name, following))
            return following
    return None


def _address(host: str, port: int, token: str | None) -> str:
    """The page's address; the token stands behind #, which browsers do not send and servers do not log."""
    name = "localhost" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + ("" if token is None else f"#token={quote(token, safe='')}")
