"""The page in a real browser, with a server and without: every control, for a VAE, one told the class, a WGAN-GP."""

import functools
import io
import shlex
import shutil
import threading
import time
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentry
from latentry.cli import run as run_command
from latentry.export.web_runtime import web_runtime
from latentry.latent import through
from latentry.models.wish import Wish
from tests.cli.pictures import save

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor google-chrome is installed")

KINDS = ("vae", "cvae", "wgan-gp")
FORMS = ("server", "static")
PATIENCE = 20.0  # seconds, of which a quiet machine takes hundredths


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """Someone who uses the page."""

    def __init__(self, page):
        self.page = page
        self.faults: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)

    def tab(self, name):
        self.page.locator(f"#tab-{name}").click()

    def press(self, words):
        self.page.get_by_role("button", name=words, exact=True).locator("visible=true").click()

    def slide(self, slider, value):
        """Move a slider as a pointer would: a new value, and the event that tells of it."""
        self.page.locator(slider).evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
        )

    def choose_seed(self, number):
        self.tab("samples")
        self.page.locator(".cell").nth(number).click()

    def picture(self, canvas="#stage canvas"):
        """The grey values on a canvas, uint8 [H, W]."""
        read = "c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        width, height, *data = self.page.locator(canvas).first.evaluate(read)
        return np.array(data, np.uint8).reshape(height, width, 4)[:, :, 0]

    def sees(self, expected, canvas="#stage canvas"):
        """Wait until a canvas shows a picture uint8 [1, H, W], to within one grey level."""
        self.until(lambda: close(self.picture(canvas), expected[0]), f"{canvas} does not show the expected picture")

    def until(self, true, what):
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"{what}; the page says: {self.page.locator('#said').inner_text()!r}"
            self.page.wait_for_timeout(20)

    def download(self, words):
        with self.page.expect_download() as waiting:
            self.press(words)
        return waiting.value.path().read_bytes()


def close(a, b):
    return a.shape == b.shape and np.abs(a.astype(int) - b.astype(int)).max() <= 1


@pytest.fixture(scope="module")
def pages(runs, tmp_path_factory):
    """The addresses of pages that were exported, behind a plain file server; what they run on is fetched once."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LATENTRY_CACHE", raising=False)
        try:
            web_runtime()
        except latentry.InputError as error:
            pytest.skip(str(error))
        handler = functools.partial(QuietFiles, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()

            def address(kind):
                if not (folder / kind).is_dir():
                    latentry.export_page(runs[kind], folder / kind)
                return f"http://127.0.0.1:{server.server_port}/{kind}/"

            yield address
            server.shutdown()


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *said):
        pass


@pytest.fixture
def reader(browser, servers, request):
    """Open the page of some runs; at the end no error has reached the console, and no request another host."""
    contexts = []

    def open_page(*kinds, form="server", **settings):
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **settings)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        found = Reader(context.new_page())
        contexts.append((context, found))
        address = servers(*kinds)[0] if form == "server" else request.getfixturevalue("pages")(*kinds)
        found.page.on("request", lambda asked: found.asked.append(asked.url))
        found.page.goto(address)
        found.page.wait_for_selector("#stage canvas.drawn")
        found.page.wait_for_selector("#looking", state="hidden")
        return found

    yield open_page
    for context, found in contexts:
        assert found.faults == []
        assert all(url.startswith(("http://127.0.0.1:", "blob:")) for url in found.asked)
        context.close()


@pytest.fixture
def models(runs):
    return {kind: latentry.load(runs[kind]) for kind in KINDS}


def draw(model, seeds, **settings):
    """Latents and what is told with them, as `sample` draws them."""
    told = model.conditions(seeds, Wish(None, None, None))
    return model.latents(seeds, conditions=told, **settings), told


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_samples_by_seed(reader, models, kind, form):
    page, model = reader(kind, form=form), models[kind]
    page.sees(model.sample(seeds=[0])[0])
    page.sees(model.sample(seeds=[5])[0], ".cell:nth-child(6) canvas")
    page.choose_seed(5)
    page.sees(model.sample(seeds=[5])[0])
    page.page.keyboard.press("ArrowRight")
    page.sees(model.sample(seeds=[6])[0])
    assert page.page.locator("#source").inner_text() == "Seed 6"
    page.press("Later seeds")
    page.sees(model.sample(seeds=[24])[0], ".cell:nth-child(1) canvas")
    page.press("Earlier seeds")
    page.page.locator("#first-seed").fill("1000")
    page.page.keyboard.press("Enter")
    page.sees(model.sample(seeds=[1001])[0], ".cell:nth-child(2) canvas")
    page.press("Shuffle")
    page.until(lambda: page.page.locator("#first-seed").input_value() != "1000", "no other seeds")
    seed = int(page.page.locator("#first-seed").input_value())
    page.sees(model.sample(seeds=[seed])[0], ".cell:nth-child(1) canvas")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_sliders_move_the_latent_and_back(reader, models, kind, form):
    page, model = reader(kind, form=form), models[kind]
    z, told = draw(model, [2])
    page.choose_seed(2)
    page.page.locator("details[data-kind=dimension] summary").click()
    slider = page.page.locator("[id^=slider-dimension-]").first
    dim = int(slider.get_attribute("id").rpartition("-")[2])
    (before,) = model.decode(z, told)
    page.sees(before)
    page.slide(f"#slider-dimension-{dim}", 2)
    if kind == "cvae":  # whose latents have a spread of their own
        page.until(lambda: not close(page.picture(), before[0]), "the slider moves nothing")
    else:
        moved = z.copy()
        moved[:, dim] += 2
        page.sees(model.decode(moved, told)[0])
    there = page.picture()
    page.press("Before")
    page.sees(model.decode(z, told)[0])
    page.press("Before")
    page.sees(there[None])
    page.page.locator("#move-all").check()
    page.until(lambda: close(page.picture(".cell:nth-child(3) canvas"), there), "the grid is not moved")
    page.press("Reset sliders")
    page.sees(model.decode(z, told)[0])
    page.slide("#truncation", 0.5)
    page.sees(model.decode(*draw(model, [2], truncation=0.5))[0])
    if len(model.samplers) > 1:
        page.page.locator("#sampler").select_option("prior")
        page.sees(model.decode(*draw(model, [2], truncation=0.5, sampler="prior"))[0])


@pytest.mark.parametrize("form", FORMS)
def test_an_attribute_moves_as_edit_does(reader, models, form):
    page, model = reader("vae", form=form), models["vae"]
    page.choose_seed(1)
    page.slide("#slider-attribute-bright", 1.5)
    page.slide("#slider-attribute-striped", -1)
    z, _ = draw(model, [1])
    page.sees(model.edit_latents(z, {"bright": 1.5, "striped": -1.0})[0])
    page.page.get_by_role("button", name="bright +1.5, back to zero").click()
    page.sees(model.edit_latents(z, {"striped": -1.0})[0])


@pytest.mark.parametrize("form", FORMS)
def test_the_class_is_chosen(reader, models, form):
    page, model = reader("cvae", form=form), models["cvae"]
    page.choose_seed(3)
    page.page.get_by_role("radio", name="7", exact=True).click()
    page.sees(model.sample(seeds=[3], class_name="7")[0])
    page.sees(model.sample(seeds=[9], class_name="7")[0], ".cell:nth-child(10) canvas")
    page.page.keyboard.press("ArrowRight")
    page.sees(model.sample(seeds=[3], class_name="8")[0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_copied_draws_the_same_picture(reader, models, runs, kind, form, tmp_path, monkeypatch):
    page, model = reader(kind, form=form), models[kind]
    page.choose_seed(4)
    page.slide("#truncation", 0.6)
    if kind == "cvae":
        page.page.get_by_role("radio", name="3", exact=True).click()
    told = model.conditions([4], Wish("3" if kind == "cvae" else None, None, None))
    expected = model.decode(model.latents([4], truncation=0.6, conditions=told), told)
    page.sees(expected[0])
    page.press("Copy as code")
    command, python = page.page.locator("#words pre").all_inner_texts()
    page.page.locator("#words").get_by_role("button", name="Copy", exact=True).first.click()
    assert page.page.evaluate("navigator.clipboard.readText()") == command
    page.press("Close")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").symlink_to(runs[kind])  # as a page without a server calls it
    run_command(shlex.split(command)[1:])
    enlarged = np.asarray(Image.open("picture.png"))
    times = len(enlarged) // 8  # so that small pictures can be seen
    np.testing.assert_array_equal(enlarged[::times, ::times], expected[0, 0])
    here: dict[str, Any] = {}
    exec(python, here)
    np.testing.assert_array_equal(here["picture"], expected)
    saved = Image.open(io.BytesIO(page.download("Save PNG")))
    np.testing.assert_array_equal(np.asarray(saved.convert("L")), expected[0, 0])


@pytest.mark.parametrize("form", FORMS)
def test_a_photograph_is_encoded_and_edited(reader, models, form, tmp_path):
    page, model = reader("vae", form=form), models["vae"]
    pixels = 60 + 50 * (np.arange(8) % 2) + np.zeros((8, 8))
    save(tmp_path / "me.png", pixels)
    page.tab("photograph")
    page.page.set_input_files("#file", tmp_path / "me.png")
    z = model.encode(pixels.astype(np.uint8)[None, None])
    page.sees(pixels.astype(np.uint8)[None], "#panel-photograph canvas >> nth=0")
    page.sees(model.decode(z)[0], "#panel-photograph canvas >> nth=1")
    page.slide("#slider-attribute-bright", 1)
    page.sees(model.edit_latents(z, {"bright": 1.0})[0])
    if form == "server":
        assert "Similarity (SSIM)" in page.page.locator("#panel-photograph").inner_text()
        page.press("Search for a closer latent")
        page.until(lambda: page.page.get_by_text("Search for a closer latent").is_hidden(), "the search does not end")
    page.choose_seed(0)
    page.tab("photograph")
    page.press("Edit it")
    assert page.page.locator("#source").inner_text() == "me.png"
    (tmp_path / "words.png").write_text("no picture")
    page.page.set_input_files("#file", tmp_path / "words.png")
    page.until(lambda: "no picture that can be read" in page.page.locator("#said").inner_text(), "nothing is said")
    page.faults = [fault for fault in page.faults if "422" not in fault]  # the browser logs every refused request


def test_a_gan_searches_for_a_photograph(reader, tmp_path):
    page = reader("wgan-gp")
    save(tmp_path / "me.png", np.full((8, 8), 90))
    page.tab("photograph")
    page.page.set_input_files("#file", tmp_path / "me.png")
    page.until(lambda: "SSIM" in page.page.locator("#panel-photograph").inner_text(), "nothing is found")
    assert page.page.locator("#source").inner_text() == "me.png"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_arithmetic_on_pictures(reader, models, kind, form):
    page, model = reader(kind, form=form), models[kind]
    z, told = draw(model, [1, 2, 3])
    for place, name in enumerate("ABC"):
        page.choose_seed(place + 1)
        page.tab("arithmetic")
        page.press(f"Put the current picture into {name}")
    expected = model.decode(z[:1] - z[1:2] + z[2:], None if told is None else told[:1])[0]
    page.sees(expected, "#panel-arithmetic .sum:last-child canvas")
    page.press("Take it")
    page.sees(expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_is_scrubbed_played_and_saved(reader, models, kind, form):
    page, model = reader(kind, form=form), models[kind]
    for seed in (1, 2, 3):
        page.choose_seed(seed)
        page.tab("morph")
        page.press("Add the current picture")
        page.until(lambda seed=seed: page.page.locator(".keyframes li").count() == seed, "no keyframe")
    page.press("Remove keyframe 3")
    page.press("Move on keyframe 1")  # now from seed 2 to seed 1
    page.page.locator("#loop").uncheck()
    page.slide("#scrubber", 0.5)
    z, told = draw(model, [2, 1])
    spherical = model.network.latent.prior == "normal"
    steps = through(z, 3, spherical=spherical)
    half = None if told is None else told.mean(axis=0, keepdims=True)
    page.sees(model.decode(steps[1:2], half)[0], "canvas.screen")
    page.press("Take this moment")
    page.sees(model.decode(steps[1:2], half)[0])
    page.tab("morph")
    page.press("Play")
    page.until(lambda: float(page.page.locator("#scrubber").input_value()) > 0.6, "the walk does not play")
    page.press("Pause")
    page.page.locator("#frames").fill("3")
    film = Image.open(io.BytesIO(page.download("Save GIF")))
    assert (film.format, getattr(film, "n_frames", 1)) == ("GIF", 3)
    film.seek(1)
    grey = np.asarray(film.convert("L"))
    times = len(grey) // 8  # a film of small pictures is enlarged
    assert close(grey[::times, ::times], model.decode(steps[1:2], half)[0, 0])
    with zipfile.ZipFile(io.BytesIO(page.download("Save frames"))) as archive:
        middle = np.asarray(Image.open(archive.open("frame-0001.png")).convert("L"))
    assert close(middle, model.decode(steps[1:2], half)[0, 0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_map_moves_the_picture(reader, kind, form):
    page = reader(kind, form=form)
    page.tab("map")
    surface = page.page.locator("canvas.map")
    page.until(lambda: "lies in this plane" in page.page.locator("#panel-map").inner_text(), "there is no map")
    before = page.picture()
    box = surface.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 8, box["y"] + 8, steps=4)
    page.page.mouse.up()
    page.until(lambda: not close(page.picture(), before), "dragging shows nothing new")
    assert page.page.locator("#source").inner_text() == "From the map"
    dragged = page.picture()
    surface.focus()
    for _ in range(4):
        page.page.keyboard.press("Shift+ArrowRight")
    page.until(lambda: not close(page.picture(), dragged), "arrow keys move nothing")
    if page.page.get_by_role("radio", name="Data").is_visible():
        page.page.get_by_role("radio", name="Data").click()
        page.until(lambda: "held-out" in page.page.locator("#panel-map").inner_text(), "no map of the data")
    page.page.get_by_role("radio", name="Neighbours (t-SNE)").click()
    page.until(lambda: "Neighbours are alike" in page.page.locator("#panel-map").inner_text(), "no map by t-SNE")


def test_nearest_training_pictures(reader):
    page = reader("vae")
    page.press("Nearest training pictures")
    page.page.wait_for_selector(".neighbours figure:nth-child(6)")


def test_how_the_run_trained(reader):
    page = reader("vae")
    page.tab("training")
    page.until(lambda: "Finished" in page.page.locator("#facts").inner_text(), "no facts")
    assert page.page.locator(".curve svg").count() >= 3
    page.until(lambda: page.page.locator("canvas.history").evaluate("c => c.width") > 1, "no grid")


def test_runs_side_by_side_share_latent_and_sliders(reader, models):
    page = reader("vae", "wgan-gp")
    page.choose_seed(3)
    page.slide("#slider-attribute-bright", 1)
    z, _ = draw(models["vae"], [3])
    page.sees(models["vae"].edit_latents(z, {"bright": 1.0})[0])
    page.sees(models["wgan-gp"].decode(z)[0], "#stage figure:nth-child(2) canvas")  # it does not know the attribute


def test_light_and_dark(reader):
    page = reader("vae", color_scheme="dark")
    shade = lambda: page.page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    dark = shade()
    page.press("Switch to light colours")
    assert shade() != dark
    page.page.reload()
    page.page.wait_for_selector("#stage canvas.drawn")
    assert shade() != dark  # the choice is kept


@pytest.mark.parametrize("tab", ("samples", "photograph", "arithmetic", "morph", "map", "training"))
def test_no_view_is_wider_than_a_phone(reader, tab):
    page = reader("vae")
    page.page.set_viewport_size({"width": 360, "height": 740})
    page.tab(tab)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_control_has_a_name(reader):
    page = reader("cvae")
    for tab in ("samples", "photograph", "arithmetic", "morph", "map"):
        page.tab(tab)
        nameless = page.page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
              .filter((e) => e.checkVisibility() && !e.innerText?.trim() && !e.ariaLabel && !e.labels?.length)
              .map((e) => e.outerHTML)"""
        )
        assert nameless == []


def test_a_browser_without_simd_is_told(browser, pages):
    page = browser.new_page()
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto(pages("vae"))
    page.get_by_text("has no WebAssembly SIMD").wait_for()
    page.close()
