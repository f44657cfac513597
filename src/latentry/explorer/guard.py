"""Who may ask, and how much they may send: the first thing that every request meets.

A page elsewhere on the web could have a visitor's browser talk to a server on the same machine. It cannot read the
answers, unless it makes its own name point to 127.0.0.1 (DNS rebinding); hence the check of Host, and of Origin.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 24 << 20  # of a request's body: a photograph of 16 MiB as base64, and some latents

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests by host, origin, token and size, and puts the security headers on every answer.

    Args:
        app: what is guarded.
        host: the address that the server listens on.
        token: what must be shown for everything under /api; None for a server of this machine alone.
        most_bytes: of a request's body.
    """

    def __init__(self, app: App, host: str, token: str | None, most_bytes: int = MOST_BYTES) -> None:
        self.app, self.token, self.most_bytes = app, token, most_bytes
        self.hosts: set[str] | None = {"localhost", "127.0.0.1", "::1"}
        if not is_loopback(host):
            # Of "every address" the names are not known; there the token, which no other page has, stands guard.
            self.hosts = None if host in ("0.0.0.0", "::", "") else self.hosts | {host.lower()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in _HEADERS.items())]
            await send(message)

        if refused := self._refusal(scope["path"], headers):
            await _answer(dressed, *refused)
            return
        body = await _read(receive, self.most_bytes)
        if body is None:
            await _answer(dressed, *self._too_large())
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, dressed)

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """The status and the line, where the request must not pass."""
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 400, f"this server is not called {host!r}; open the address that latentry explore has printed"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return 403, f"requests from pages of {origin!r} are not answered"
        if path.startswith("/api/") and self.token is not None:
            shown = headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(shown.encode(), self.token.encode()):
                return 401, "this server asks for its token; open the address that latentry explore has printed"
        length = headers.get("content-length", "0")
        return self._too_large() if length.isdigit() and int(length) > self.most_bytes else None

    def _too_large(self) -> tuple[int, str]:
        return 413, f"a request may have {self.most_bytes >> 20} MiB, and a photograph {self.most_bytes * 2 // 3 >> 20}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


async def _read(receive: Receive, most_bytes: int) -> bytes | None:
    """A request's body; None where it is too large, whatever its header claimed."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most_bytes:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: int, line: str) -> None:
    content = json.dumps({"detail": line}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
