"""A model folder on the Hugging Face hub: tensors in safetensors, the rest in JSON, a card; nothing that runs."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latentry._version import __version__
from latentry.errors import InputError
from latentry.export.card import LICENCE, SAMPLES, model_card, sample_sheet
from latentry.files import json_bytes, read_json, write_file
from latentry.models.folder import CARD, CONFIG, WEIGHTS
from latentry.models.trained import TrainedModel

PARTS = (WEIGHTS, "vectors/vectors.safetensors", "vectors/vectors.json", "inversion/encoder.safetensors",
         "inversion/inversion.json", CARD, SAMPLES)  # fmt: skip
_NAME = r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}"


def is_hub_name(text: str) -> bool:
    """Whether a text could be owner/name, and no folder here has to do with it: what is here comes first."""
    return re.fullmatch(_NAME, text) is not None and not Path(text).exists() and not Path(text).parent.exists()


def save_pretrained(model: TrainedModel, folder: Path | str, *, licence: str | None = None) -> Path:
    """Write what the hub holds of a model: its folder, with a card and a picture made from the run it belongs to.

    Args:
        model: of a run that has ended.
        folder: one that does not exist yet, or is empty.
        licence: of the weights, as the hub names licences (cc-by-4.0); None leaves it open.

    Raises:
        InputError: the run has not ended, or the folder holds something.
    """
    folder = Path(folder)
    if not (model.path / WEIGHTS).is_file():
        raise InputError(f"{model.path} has not ended; continue it with latentry train --resume {model.path}")
    if licence is not None and not re.fullmatch(LICENCE, licence):
        raise InputError(f"licence (={licence!r}) must be as the hub names it, such as apache-2.0, cc-by-4.0 or other")
    with _new_folder(folder) as draft:
        for name in PARTS:
            if (model.path / name).is_file():
                (draft / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(model.path / name, draft / name)
        write_file(draft / CONFIG, json_bytes(_without_paths(read_json(model.path / CONFIG))))
        write_file(draft / SAMPLES, sample_sheet(model))
        write_file(draft / CARD, model_card(model, licence).encode())
    return folder


def push_to_hub(model: TrainedModel, name: str, *, private: bool = False, licence: str | None = None) -> str:
    """Upload a model; a repository that is not there is made.

    Args:
        model: of a run that has ended.
        name: owner/name.
        private: whether a new repository is for its owner alone.
        licence: of the weights; see `save_pretrained`.

    Returns:
        Where it is to be seen.

    Raises:
        InputError: there is no token, it may not write there, or the hub cannot be reached.
    """
    _check_name(name)
    with tempfile.TemporaryDirectory() as home:
        folder = save_pretrained(model, Path(home) / "model", licence=licence)
        api = _client(name)
        with _explained(name):
            api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=str(folder), commit_message=f"latentry {__version__}")
    return f"https://huggingface.co/{name}"


def fetch(name: str) -> Path:
    """A model of the hub as a folder in the hub's own cache; only what `save_pretrained` writes is fetched.

    Raises:
        InputError: there is no such repository, it holds no latentry model, or the hub cannot be reached.
    """
    _check_name(name)
    api = _client(name)
    with _explained(name):
        config = read_json(Path(api.hf_hub_download(name, CONFIG)))
        if {"latentry", "config", "sha256"} - config.keys():
            raise InputError(f"{name} is on the hub, but is no latentry model: {CONFIG} is another library's")
        folder = Path(api.snapshot_download(name, allow_patterns=[CONFIG, *PARTS]))
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{name} is on the hub, but is no latentry model: it lacks {WEIGHTS}")
    return folder


def pull(name: str, folder: Path | str) -> Path:
    """Copy a model of the hub into a folder of your own.

    Args:
        name: owner/name.
        folder: one that does not exist yet, or is empty.

    Raises:
        InputError: see `fetch`; or the folder holds something.
    """
    folder = Path(folder)
    with _new_folder(folder) as draft:
        fetched = fetch(name)
        for part in (CONFIG, *PARTS):
            if (fetched / part).is_file():
                (draft / part).parent.mkdir(exist_ok=True)
                shutil.copyfile(fetched / part, draft / part)
    return folder


@contextlib.contextmanager
def _new_folder(final: Path) -> Iterator[Path]:
    """A folder to fill, which takes its final name once it is whole, and is gone if anything fails."""
    if final.is_file() or (final.is_dir() and any(final.iterdir())):
        raise InputError(f"{final} is there already; give a folder that does not exist yet")
    draft = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.replace(final)
    except OSError as error:
        raise InputError(f"cannot write {final}: {error.strerror}; free space or write elsewhere") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _without_paths(record: dict[str, Any]) -> dict[str, Any]:
    """A model's config with the name of the folder that its pictures were in, and not the way to it."""
    data = record["config"].get("data")
    if isinstance(data, dict) and isinstance(data.get("data"), str):
        data["data"] = re.split(r"[\\/]", data["data"].rstrip("\\/"))[-1]
    return record


def _check_name(name: str) -> None:
    if re.fullmatch(_NAME, name) is None:
        raise InputError(f"{name!r} is no name on the hub; give owner/name of letters, digits, - _ and .")


def _client(name: str) -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(f"{name} on the hub needs huggingface_hub; pip install latentry[hub]") from None
    return huggingface_hub.HfApi(library_name="latentry", library_version=__version__)


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """The hub's errors, each as one line that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except InputError:
        raise
    except errors.LocalEntryNotFoundError:
        raise InputError(_unreachable(name, "and it was not fetched before")) from None
    except errors.EntryNotFoundError:
        raise InputError(f"{name} is on the hub, but is no latentry model: it lacks {CONFIG}") from None
    except errors.RepositoryNotFoundError:
        raise InputError(
            f"there is no folder {name} here, and no model of that name on the hub that you may see; check the name, "
            "or run `hf auth login` if it is private"
        ) from None
    except errors.LocalTokenNotFoundError:
        raise InputError(f"the hub wants to know who you are for {name}; run `hf auth login` first") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise InputError(
                f"the hub does not let you do that with {name} ({status}); run `hf auth login` with a token that may"
            ) from None
        raise InputError(f"the hub refused {name} ({status}): {str(error).splitlines()[0]}") from error
    except Exception as error:  # connections fail with errors of its HTTP library, which has changed before
        raise InputError(_unreachable(name, type(error).__name__)) from error


def _unreachable(name: str, how: str) -> str:
    return f"there is no folder {name} here, and the hub cannot be reached ({how}); is there a network?"
