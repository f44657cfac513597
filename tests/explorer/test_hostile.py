"""What no honest page sends: broken and hostile uploads, and requests at the edges of the description."""

import base64
import io
import os
import zlib
from pathlib import Path
from struct import pack

import httpx2
import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

UPLOADS = int(os.environ.get("LATENTRY_TEST_UPLOADS", "150"))
EXAMPLES = int(os.environ.get("LATENTRY_TEST_EXAMPLES", "5"))
GROWTH = 600 << 20  # bytes; a photograph of the 50 million pixels that are allowed is 150 MB as RGB


def hostile_uploads(n, rng):
    """Files that are no pictures, nearly pictures, or too much of one, with what stands for their names."""
    noise = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    whole = {kind: encoded(noise, kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "PPM")}
    makers = (
        lambda: cut(whole[str(rng.choice(list(whole)))], rng),
        lambda: flipped(whole[str(rng.choice(list(whole)))], rng),
        lambda: rng.bytes(int(rng.integers(0, 3000))),
        lambda: claimed(int(rng.integers(1, 2**31)), int(rng.integers(1, 2**31))),
        lambda: bomb(int(rng.integers(8000, 12000))),
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="fetch(1)"><image href="file:///etc/passwd"/></svg>',
        lambda: b"<html><script>document.write(1)</script></html>",
        lambda: b"../../../etc/passwd\x00.png",
        lambda: b"PK\x03\x04" + rng.bytes(200),
        lambda: whole["PNG"][:8] + whole["JPEG"],
    )
    return [makers[int(rng.integers(len(makers)))]() for _ in range(n)]


def encoded(picture, kind):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def cut(content, rng):
    return content[: int(rng.integers(0, len(content)))]


def flipped(content, rng):
    found = bytearray(content)
    for at in rng.integers(0, len(found), int(rng.integers(1, 20))):
        found[at] ^= int(rng.integers(1, 256))
    return bytes(found)


def chunk(kind, content):
    return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))


def claimed(width, height):
    """A PNG that says that it is huge and holds nothing."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")


def bomb(side):
    """A PNG of a few kilobytes that really has 64 to 144 million pixels."""
    rows = zlib.compressobj(9)
    content = b"".join([*(rows.compress(bytes(1 + side // 8)) for _ in range(side)), rows.flush()])
    header = chunk(b"IHDR", pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def resident_bytes(process):
    """The memory that a process holds, or 0 where the system does not tell."""
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def test_hostile_uploads_are_refused_in_one_line_and_leave_nothing_behind(servers, runs):
    url, process = servers("vae")
    files = {path: path.stat().st_mtime_ns for path in runs["vae"].rglob("*")}
    before, statuses = resident_bytes(process), set()
    with httpx2.Client(base_url=url, timeout=60) as client:
        for content in hostile_uploads(UPLOADS, np.random.default_rng(0)):
            question = {"picture": base64.b64encode(content).decode(), "search": False}
            reply = client.post("api/encode", json=question)
            statuses.add(reply.status_code)
            assert reply.status_code in (200, 422), reply.text  # a flipped bit may leave a picture
            assert reply.status_code == 200 or "\n" not in reply.json()["detail"]
        assert client.post("api/latents", json={"seeds": [0]}).status_code == 200  # still there
    assert 422 in statuses
    assert resident_bytes(process) - before < GROWTH
    assert {path: path.stat().st_mtime_ns for path in runs["vae"].rglob("*")} == files


def test_the_server_keeps_what_its_description_promises(servers):
    url, _ = servers("cvae")
    schema = schemathesis.openapi.from_url(f"{url}api/openapi.json")
    names = set()
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok)
        api = operation.ok()
        names.add(api.path)

        @given(case=api.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def asked(case):
            reply = case.call()
            case.validate_response(
                reply,
                checks=(
                    schemathesis.checks.not_a_server_error,
                    checks.status_code_conformance,
                    checks.content_type_conformance,
                    checks.response_schema_conformance,
                ),
            )

        asked()
    assert {"/api/manifest", "/api/decode", "/api/encode", "/api/animation"} <= names
