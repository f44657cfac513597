"""The server answers as the Python functions do, bit for bit, and refuses what it should in one line."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

import latentry
from latentry.explorer.messages import MOST_ROWS, unpack
from latentry.latent import through
from tests.explorer.conftest import ask, asking, pixels, refusal, row


def file_of(picture, kind="PNG"):
    """A picture uint8 [H, W] or [H, W, 3] as the base64 of a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_seed_is_the_picture_that_sample_draws(runs):
    model = latentry.load(runs["vae"])
    with asking(runs["vae"]) as client:
        drawn = ask(client, "latents", seeds=[3, 11])
        made = pixels(ask(client, "decode", z=drawn["z"]))
        safer = ask(client, "latents", seeds=[3], truncation=0.5, sampler="prior")
    np.testing.assert_array_equal(made, model.sample(seeds=[3, 11]))
    expected = model.latents([3], truncation=0.5, sampler="prior")
    np.testing.assert_array_equal(unpack(safer["z"], (3,)), expected)


def test_a_wish_reaches_the_model_that_is_told_the_class(runs):
    model = latentry.load(runs["cvae"])
    with asking(runs["cvae"]) as client:
        drawn = ask(client, "latents", seeds=[0, 1], wish={"class_name": "7"})
        assert drawn["told"] == np.eye(10)[[7, 7]].tolist()
        made = pixels(ask(client, "decode", **drawn))
        np.testing.assert_array_equal(made, model.sample(seeds=[0, 1], class_name="7"))
        assert "unknown class 'ten'" in refusal(client, "latents", seeds=[0], wish={"class_name": "ten"})
        assert "told 10 numbers" in refusal(client, "decode", z=drawn["z"])
        assert "send told accordingly" in refusal(client, "decode", z=drawn["z"], told=[[1.0], [0.0]])


def test_the_manifest_has_the_vectors_with_the_range_that_they_were_graded_in(runs):
    model = latentry.load(runs["vae"])
    with asking(runs["vae"]) as client:
        run = client.get("/api/manifest").json()["runs"][0]
    assert (run["picture"], run["latent"], run["ready"], run["encodes"]) == ([1, 8, 8], [3], True, True)
    assert [control["name"] for control in run["controls"]] == ["bright", "striped"]
    for control in run["controls"]:
        vector = model.vectors.find(control["name"])
        assert control["high"] == -control["low"] == vector.farthest
        assert vector.grade is not None
        assert control["recommended"] == (vector.grade["recommended"] or None)
        np.testing.assert_array_equal(unpack([control["direction"]], (3,))[0], vector.direction)


def test_dimensions_and_directions_are_found_and_nothing_is_written(runs):
    before = {file: file.stat().st_mtime_ns for file in runs["vae"].rglob("*")}
    with asking(runs["vae"]) as client:
        found = ask(client, "controls")
    dims = [control for control in found["controls"] if control["kind"] == "dimension"]
    assert {control["name"] for control in dims} == {"dimension 0", "dimension 1", "dimension 2"}
    for control in dims:
        step = unpack([control["direction"]], (3,))[0]
        assert np.flatnonzero(step).tolist() == [int(control["name"].split()[1])]
        assert step.sum() == 1  # the prior is standard normal
    ways = [control for control in found["controls"] if control["kind"] == "direction"]
    assert [control["name"] for control in ways] == ["principal-1", "principal-2", "principal-3"]
    assert before == {file: file.stat().st_mtime_ns for file in runs["vae"].rglob("*")}


def test_a_photograph_is_encoded_as_reconstruct_does_and_a_search_comes_nearer(runs):
    model = latentry.load(runs["vae"])
    picture = np.full((20, 16, 3), 100, np.uint8)
    picture[:10] = 220
    with asking(runs["vae"]) as client:
        quick = ask(client, "encode", picture=file_of(picture), search=False)
        found = ask(client, "encode", picture=file_of(picture, "JPEG"), search=True)
    taken, made = pixels(quick["pictures"])
    assert taken.shape == (1, 8, 8)
    assert taken[0, 0].mean() > 200 > 120 > taken[0, -1].mean()  # the middle of the photograph, scaled, in grey
    np.testing.assert_array_equal(unpack([quick["z"]], (3,)), model.encode(taken[None]))
    np.testing.assert_array_equal(made, model.reconstruct(taken[None])[0])
    errors = [np.square(np.diff(pixels(each["pictures"]).astype(float), axis=0)).mean() for each in (quick, found)]
    assert errors[1] < errors[0]


def test_a_gan_without_an_encoder_finds_a_photograph_by_search_alone(runs):
    picture = file_of(np.full((8, 8), 128, np.uint8))
    with asking(runs["gan"]) as client:
        run = client.get("/api/manifest").json()["runs"][0]
        assert (run["encodes"], run["searches"], run["maps_data"]) == (False, True, False)
        assert "no encoder" in refusal(client, "encode", picture=picture, search=False)
        z = unpack([ask(client, "encode", picture=picture, search=True)["z"]], (3,))
    assert np.isfinite(z).all()


def test_what_is_no_picture_or_claims_too_many_pixels_is_refused(runs):
    def claims(width, height):
        from struct import pack
        from zlib import crc32

        header = b"IHDR" + pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        chunks = b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + header + pack(">I", crc32(header)) + pack(">I", 99) + b"IDAT"
        return base64.b64encode(chunks).decode()

    with asking(runs["vae"]) as client:
        assert "no picture" in refusal(client, "encode", picture=base64.b64encode(b"hello").decode(), search=False)
        assert "not base64" in refusal(client, "encode", picture="/etc/passwd!", search=False)
        assert "hundreds of millions of pixels" in refusal(client, "encode", picture=claims(60000, 60000), search=False)
        assert "9000 x 9000 pixels" in refusal(client, "encode", picture=claims(9000, 9000), search=False)
        assert "damaged" in refusal(client, "encode", picture=claims(90, 90), search=False)
        too_large = client.post("/api/encode", content=b"0" * (25 << 20), headers={"content-type": "application/json"})
    assert too_large.status_code == 413
    assert too_large.json()["detail"] == "a request may have 24 MiB, and a photograph 16"


def test_latents_of_another_shape_or_without_end_or_too_many_are_refused(runs):
    with asking(runs["vae"]) as client:
        assert "16 bytes; this model's, of shape [3], have 12" in refusal(client, "decode", z=[row([1, 2, 3, 4])])
        assert "not finite" in refusal(client, "decode", z=[row([1, 2, np.nan])])
        assert "at most 64 items" in refusal(client, "decode", z=[row([1, 2, 3])] * (MOST_ROWS + 1))
        assert "no run 7" in refusal(client, "decode", run=7, z=[row([1, 2, 3])])
        assert "unknown sampler" in refusal(client, "latents", seeds=[1], sampler="dice")
        assert "seeds" in refusal(client, "latents", seeds=[-1])


def test_a_place_on_a_flat_map_keeps_what_the_map_does_not_show(runs):
    z = np.array([0.4, -1.2, 0.3], np.float32)
    with asking(runs["vae"]) as client:
        drawn = ask(client, "map", of="data")
        assert len(drawn["places"]) == len(drawn["groups"]) == 20  # the held-out fifth of a hundred
        here = ask(client, "where", of="data", z=row(z))
        stays = ask(client, "place", of="data", z=row(z), **here)
        np.testing.assert_allclose(unpack([stays["z"]], (3,))[0], z, atol=1e-5)
        moved = ask(client, "place", of="data", z=row(z), x=here["x"] + 1, y=here["y"])
        there = ask(client, "where", of="data", z=moved["z"])
    assert np.linalg.norm(unpack([moved["z"]], (3,))[0] - z) == pytest.approx(1, abs=1e-5)  # no more than was asked
    assert (there["x"], there["y"]) == pytest.approx((here["x"] + 1, here["y"]), abs=1e-5)


def test_a_map_by_neighbours_gives_back_the_latent_of_each_of_its_places(runs):
    model = latentry.load(runs["vae"])
    with asking(runs["vae"]) as client:
        drawn = ask(client, "map", by="tsne")
        x, y = drawn["places"][5]
        found = ask(client, "place", by="tsne", x=x, y=y, z=row([0, 0, 0]))
    np.testing.assert_allclose(unpack([found["z"]], (3,)), model.latents([5]), rtol=1e-5)


def test_training_pictures_are_shown_only_where_that_was_asked_for(runs, tmp_path):
    model = latentry.load(runs["vae"])
    z = model.encode(np.full((1, 1, 8, 8), 180, np.uint8))[0]
    with asking(runs["vae"]) as client:
        assert "--serve-training-data" in refusal(client, "neighbours", 403, z=row(z))
        grids = client.get("/api/live/0").json()["grids"]
        assert grids and all(name.isdigit() for name in grids)
        assert client.get("/api/live/0/grids/reals").status_code == 422
    with asking(runs["vae"], training_data=True) as client:
        found = ask(client, "neighbours", z=row(z))
        assert "reals" in client.get("/api/live/0").json()["grids"]
        assert client.get("/api/live/0/grids/reals").content[:4] == b"\x89PNG"
    made = model.decode(z[None])[0].astype(float)
    apart = [np.sqrt(np.square(picture - made).mean()) for picture in pixels(found["pictures"]).astype(float)]
    assert found["distances"] == pytest.approx(apart) == sorted(apart)
    assert found["pictures"]["height"] == 8
    assert found["distances"][0] < 25  # a bright picture has bright ones in the data


def test_a_walk_is_saved_as_an_animation_or_as_frames(runs):
    model = latentry.load(runs["vae"])
    z = model.latents([1, 2])
    with asking(runs["vae"]) as client:
        question = {"z": [row(each) for each in z], "frames": 5}
        film = client.post("/api/animation", json=question | {"fps": 10})
        frames = client.post("/api/animation", json=question | {"kind": "zip"})
    animation = Image.open(io.BytesIO(film.content))
    assert isinstance(animation, GifImageFile)
    assert (animation.format, animation.n_frames, animation.info["duration"]) == ("GIF", 5, 100)
    with zipfile.ZipFile(io.BytesIO(frames.content)) as archive:
        assert len(archive.namelist()) == 5
        third = np.asarray(Image.open(archive.open("frame-0002.png")))
    np.testing.assert_array_equal(third, model.decode(through(z, 5, spherical=True))[2, 0])


def test_a_run_that_trains_shows_its_curves_and_offers_its_newest_weights(unfinished):
    log = unfinished / "log.jsonl"
    with asking(unfinished) as client:
        run = client.get("/api/manifest").json()["runs"][0]
        assert (run["ready"], run["finished"], run["log"]) == (True, False, True)
        last = json.loads(log.read_text().splitlines()[-1])
        log.write_text(log.read_text() + json.dumps(last | {"images": 7000, "train": {"loss": float("nan")}}) + "\n")
        live = client.get("/api/live/0").json()
        loss = next(curve for curve in live["curves"] if curve["name"] == "loss")
        assert loss["images"][-2:] == [last["images"], 7000]
        assert loss["train"][-2:] == [pytest.approx(last["train"]["loss"]), None]
        assert (live["finished"], live["images"], live["newer_weights"]) == (False, 7000, False)
        newest = max((unfinished / "checkpoints").iterdir())
        newest.rename(newest.with_name("000000009999"))
        assert client.get("/api/live/0").json()["newer_weights"] is True
        assert ask(client, "reload")["ready"] is True
        assert client.get("/api/live/0").json()["newer_weights"] is False


def test_a_run_without_weights_yet_shows_how_far_it_is(unfinished):
    for checkpoint in (unfinished / "checkpoints").iterdir():
        checkpoint.rename(unfinished / checkpoint.name)
    with asking(unfinished) as client:
        assert client.get("/api/manifest").json()["runs"][0]["ready"] is False
        assert client.get("/api/live/0").json()["images"] > 0
        assert "no weights yet" in refusal(client, "latents", seeds=[0])


def test_runs_side_by_side_share_their_latents_or_are_refused(runs):
    with asking(runs["vae"], runs["gan"]) as client:
        z = ask(client, "latents", seeds=[5])["z"]
        made = [pixels(ask(client, "decode", run=run, z=z)) for run in (0, 1)]
    for number, kind in enumerate(("vae", "gan")):
        np.testing.assert_array_equal(made[number], latentry.load(runs[kind]).decode(unpack(z, (3,))))
    with (
        pytest.raises(latentry.InputError, match="conditioned differently; explore them one at a time"),
        asking(runs["vae"], runs["cvae"]),
    ):
        pass


def test_the_openapi_description_names_every_question(runs):
    with asking(runs["vae"]) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
    verbs = ("latents", "decode", "encode", "controls", "map", "place", "where", "neighbours", "animation", "reload")
    assert {f"/api/{verb}" for verb in verbs} <= paths.keys()
    assert all("413" in paths[f"/api/{verb}"]["post"]["responses"] for verb in verbs)
