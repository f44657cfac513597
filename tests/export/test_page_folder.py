"""The explorer as a folder: what is refused, and what is in it. That it works is tests/explorer/test_page.py."""

import hashlib
import io
import json
import re
import tarfile

import pytest

import latentry
from latentry.export import web_runtime
from tests.cli.conftest import gan, home, refuse, vae  # noqa: F401


@pytest.fixture
def runtime(monkeypatch):
    """An archive as small as a test, with the names of the real one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (*web_runtime._WASM, *web_runtime._WEBGPU):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    content = buffer.getvalue()
    monkeypatch.setattr(web_runtime, "_fetch", lambda: content)
    monkeypatch.setattr(web_runtime, "_SHA256", hashlib.sha256(content).hexdigest())
    return content


def test_the_folder_has_all_that_the_page_asks_for_and_nothing_of_this_machine(vae, runtime, tmp_path):  # noqa: F811
    made = latentry.export_page(vae, tmp_path / "site", webgpu=False)
    names = {str(path.relative_to(made.path)) for path in made.path.rglob("*") if path.is_file()}
    assert {"index.html", "page.json", "model/manifest.json", "model/decoder.onnx"} <= names
    assert {f"runtime/{name}" for name in web_runtime._WASM} <= names
    assert not any("webgpu" in name or "asyncify" in name for name in names)
    for script in made.path.glob("*.js"):
        for imported in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert imported in names, f"{script.name} imports {imported}"
    index = (made.path / "index.html").read_text()
    assert "default-src 'none'" in index and 'content="static"' in index
    assert str(vae) not in "".join(path.read_text() for path in made.path.glob("*.js*"))
    page = json.loads((made.path / "page.json").read_text())
    assert [control["name"] for control in page["run"]["controls"]] == ["bright", "striped"]
    assert len(page["maps"]["pca"]["places"]) == len(page["maps"]["tsne"]["places"]) == 500
    assert sum(made.sizes.values()) == sum(path.stat().st_size for path in made.path.rglob("*") if path.is_file())
    again = latentry.export_page(vae, tmp_path / "site", webgpu=False)  # an earlier page is replaced
    assert again.sizes["page"] == made.sizes["page"]


def test_a_folder_of_something_else_is_left_alone(vae, tmp_path, refuse):  # noqa: F811
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    assert "is no earlier page" in refuse("export", vae, "--to", "page", "-o", tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"


def test_another_archive_than_the_release_is_refused(vae, tmp_path, refuse):  # noqa: F811
    (tmp_path / "other.tgz").write_bytes(b"something else")
    line = refuse("export", vae, "--to", "page", "-o", tmp_path / "site", "--runtime", tmp_path / "other.tgz")
    assert "the runtime has SHA-256" in line and web_runtime.RELEASE in line
    missing = refuse("export", vae, "--to", "page", "-o", tmp_path / "site", "--runtime", tmp_path / "none.tgz")
    assert "cannot read the runtime" in missing
    assert not (tmp_path / "site").exists()


def test_without_a_network_it_says_how_to_do_without(vae, tmp_path, refuse, monkeypatch):  # noqa: F811
    monkeypatch.setattr(web_runtime, "ADDRESS", "http://127.0.0.1:9/nothing.tgz")
    line = refuse("export", vae, "--to", "page", "-o", tmp_path / "site")
    assert "cannot fetch" in line and "--runtime FILE" in line
