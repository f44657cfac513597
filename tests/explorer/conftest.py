"""Small runs to explore, and a client that asks as the page does."""

import contextlib
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from fastapi.testclient import TestClient

import latentry
from latentry.api.explore import open_runs
from latentry.explorer.messages import pack
from latentry.explorer.server import make_app
from tests.cli.conftest import SMALL, home  # noqa: F401

HERE = "http://127.0.0.1:7860"


@pytest.fixture(scope="session")
def runs(home):  # noqa: F811
    """Paths by name: a VAE with graded vectors, GANs of the same latent shape, a VAE that is told the class."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTRY_CACHE", str(home / "cache"))
        told = latentry.train("cvae", "digits", out=home / "told", images="200", second_stage_steps=0, **SMALL)
        critic = latentry.train(
            "wgan-gp", home / "data", out=home / "critic", images="400", critic_hidden=(16,), augment="none", **SMALL
        )
        found = {kind: next((home / "runs").glob(f"*-{kind}-*")) for kind in ("vae", "gan")}
        yield found | {"cvae": told.path, "wgan-gp": critic.path}


@pytest.fixture
def unfinished(runs, tmp_path):
    """A run as it stands while it trains: checkpoints and a log, and no model."""
    path = shutil.copytree(runs["vae"], tmp_path / "00007-vae-data")
    shutil.rmtree(path / "model")
    return path


@pytest.fixture(scope="module")
def servers(runs):
    """The addresses of servers by the runs that they show; each is a process of its own, as for a user."""
    with contextlib.ExitStack() as stack:
        started = {}

        def server(*kinds):
            if kinds not in started:
                command = [sys.executable, "-m", "latentry", "explore", *(str(runs[kind]) for kind in kinds)]
                command += ["--port", "0", "--json", "--serve-training-data"]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                stack.callback(process.communicate, timeout=10)
                stack.callback(process.terminate)
                assert process.stdout is not None
                started[kinds] = json.loads(process.stdout.readline())["url"], process
            return started[kinds]

        yield server


@contextmanager
def asking(*paths, **settings):
    """A client of a server that shows runs."""
    with TestClient(make_app(open_runs(paths), **settings), base_url=HERE) as client:
        yield client


def ask(client, verb, **question):
    """The answer to a question that is expected to have one."""
    reply = client.post(f"/api/{verb}", json=question)
    assert reply.status_code == 200, reply.text
    return reply.json()


def refusal(client, verb, status=422, **question):
    """The line with which a question is refused."""
    reply = client.post(f"/api/{verb}", json=question)
    assert reply.status_code == status, reply.text
    line = reply.json()["detail"]
    assert "\n" not in line
    return line


def pixels(reply):
    """The pictures of a reply, uint8 [n, C, H, W]."""
    import base64

    shape = (-1, reply["channels"], reply["height"], reply["width"])
    return np.frombuffer(b"".join(base64.b64decode(part) for part in reply["pixels"]), np.uint8).reshape(shape)


def row(z):
    """One latent as it travels."""
    return pack(np.asarray(z, np.float32)[None])[0]
