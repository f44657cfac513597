"""Who may ask: pages of other hosts may not, nor anyone without the token where one is set."""

import re
import signal
import socket
import subprocess
import sys

import pytest

import latentry
from latentry.explorer.serve import check_address, serve
from tests.explorer.conftest import asking


def test_another_name_for_this_machine_is_refused(runs):
    with asking(runs["vae"]) as client:
        for good in ("127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LocalHost"):
            assert client.get("/api/manifest", headers={"host": good}).status_code == 200
        for bad in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""):
            reply = client.get("/api/manifest", headers={"host": bad})
            assert reply.status_code == 400
            assert "open the address" in reply.json()["detail"]


def test_a_page_from_elsewhere_cannot_ask(runs):
    with asking(runs["vae"]) as client:
        question = {"json": {"seeds": [0]}}
        here = client.post("/api/latents", headers={"origin": "http://127.0.0.1:7860"}, **question)
        elsewhere = client.post("/api/latents", headers={"origin": "http://evil.example"}, **question)
        other_port = client.post("/api/latents", headers={"origin": "http://127.0.0.1:80"}, **question)
    assert [reply.status_code for reply in (here, elsewhere, other_port)] == [200, 403, 403]


def test_with_a_token_nothing_is_answered_without(runs):
    with asking(runs["vae"], host="0.0.0.0", token="a long secret") as client:
        asked = {"none": {}, "wrong": {"authorization": "Bearer a long secreT"}}
        for headers in asked.values():
            assert client.get("/api/manifest", headers=headers).status_code == 401
            assert client.get("/api/openapi.json", headers=headers).status_code == 401
        assert client.get("/api/manifest", headers={"authorization": "Bearer a long secret"}).status_code == 200
        assert client.get("/").status_code == 200  # the page holds nothing, and asks with the token


def test_every_answer_forbids_what_comes_from_elsewhere(runs):
    with asking(runs["vae"]) as client:
        for path in ("/", "/app.js", "/api/manifest", "/nothing.js"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "script-src 'self'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"


def test_no_path_in_a_request_reaches_the_disk(runs):
    names = ("..%2f..%2fconfig.json", "%2e%2e/server.py", "server.py", "..%5c..%5csecret", "/etc/passwd", "a%00.js")
    with asking(runs["vae"]) as client:
        for name in names:
            assert client.get(f"/{name}").status_code == 404
            assert client.get(f"/api/live/0/grids/{name}").status_code in (404, 422)


@pytest.mark.parametrize(
    ("host", "port", "token", "line"),
    [
        ("0.0.0.0", 80, None, "lets other machines in; add --token"),
        ("192.168.1.7", 80, None, "lets other machines in; add --token"),
        ("example.org", 80, None, "lets other machines in; add --token"),
        ("0.0.0.0", 80, "short", "give at least 8"),
        ("127.0.0.1", 70000, None, "must be from 1 to 65535"),
    ],
)
def test_an_open_address_is_refused_without_a_token(host, port, token, line):
    with pytest.raises(latentry.InputError, match=line):
        check_address(host, port, token)


def test_this_machine_alone_needs_none():
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        check_address(host, 0, None)


def test_a_port_that_is_taken_is_refused_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            latentry.InputError, match=f"cannot listen on 127.0.0.1, port {port}: .* is free"
        ) as refused:
            serve([], host="127.0.0.1", port=port, token=None, training_data=False, ready=lambda address: None)
        offered = re.search(r"try --port (\d+), which is free", str(refused.value))
        assert offered is None or port < int(offered[1]) <= port + 100


def test_ctrl_c_ends_the_server_in_order(runs):
    command = [sys.executable, "-m", "latentry", "explore", str(runs["vae"]), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=20)
    assert (server.returncode, said) == (0, "")
