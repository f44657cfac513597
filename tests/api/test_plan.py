"""What a time buys, which size and batch are chosen, and why, from measurements that are made up; one real trial."""

import dataclasses
import json

import pytest

from latentry.api import plan as planning
from latentry.api.plan import busy, choose_size, command, plan, predict, warn, worth_doubling
from latentry.api.trial import Trial, steady_rate, tick_seconds
from latentry.errors import InputError
from latentry.settings.recipes import RECIPES
from latentry.training.enough import enough_images

VAE, DCGAN = RECIPES["vae"].config, RECIPES["dcgan"].config
TRIAL = Trial(
    32, 32, 50, images_per_step=50, images_per_sec=1000.0, start_sec=10.0, tick_sec=0.5, finish_sec=20.0,
    peak_bytes=2**30, free_bytes=2**33, n_train=5000, native_px=128,
)  # fmt: skip


def measured(**changes):
    return dataclasses.replace(TRIAL, **changes)


def square(side, rate, **changes):
    return measured(height=side, width=side, images_per_sec=rate, **changes)


@pytest.fixture
def machine(monkeypatch):
    """A machine whose speed falls with the pixels, in place of trials; what was tried, as (side, batch)."""
    tried = []

    def set_speed(rate_at_32, *, per_batch=1.0, native=128, own=64, bytes_at_32=2**20, refuse=(), no_passes=False):
        def try_out(config, seconds):
            side, batch = int(str(config.data.size or own).split("x")[0]), config.training.batch
            tried.append((side, batch))
            if batch in refuse:
                raise InputError("no such batch")
            rate = rate_at_32 * (32 / side) ** 2 * (per_batch if batch > config_batch else 1.0)
            passes = config.training.micro_batch
            if passes is not None and no_passes:
                raise InputError("norm=batch reads the whole batch")
            peak = bytes_at_32 * (side // 32) ** 2 * (passes or batch)
            counts = {"batch": batch, "micro_batch": passes, "images_per_step": batch}
            return square(side, rate, **counts, native_px=native, peak_bytes=peak)

        config_batch = VAE.training.batch
        monkeypatch.setattr(planning, "try_out", try_out)
        monkeypatch.setattr(planning, "busy", lambda: 0.0)
        return tried

    return set_speed


def test_time_is_shared_between_starting_ticks_finishing_and_steps():
    """140 s less 10 to start, 20 ticks of half a second and 20 to finish leave 100 s: 2,000 steps of 50."""
    option = predict(TRIAL, VAE, 140)
    assert (option.steps, option.images) == (2000, 100_000)
    assert option.seconds == pytest.approx(140)


def test_the_end_of_a_long_run_takes_longer():
    """Samplers are fitted to a quarter of the images, 2,000 to 20,000; a probe is shown as many, in whole epochs."""
    trial = measured(images=4000, fits_samplers=True, finish_sec=3.0, n_train=50_000)
    few = dataclasses.replace(trial, n_train=5000)  # there are no more latents than training pictures
    assert [few.finish_seconds(images) for images in (0, 8_000, 40_000, 10**6)] == [3.0, 3.0, 7.5, 7.5]
    assert [trial.finish_seconds(images) for images in (0, 8_000, 40_000, 10**6)] == [3.0, 3.0, 15.0, 30.0]
    told = measured(finish_sec=3.0, probe_sec=1e-3)  # of 5,000 pictures: 5 s an epoch
    assert [told.finish_seconds(images) for images in (0, 60_000, 10**7)] == [8.0, 18.0, 203.0]
    option = predict(dataclasses.replace(trial, images_per_sec=100.0), VAE, 140)
    assert option.images == 11_550  # start and ticks leave 120 s: 115.5 for steps, 4.3 to fit to 2,887 latents
    assert option.seconds == pytest.approx(139.83, abs=0.01)


def test_nothing_fits_into_less_than_starting_takes():
    option = predict(TRIAL, VAE, 35)
    assert option.images == 0
    assert not option.fits


def test_what_a_recipe_needs():
    assert enough_images(VAE, 5_000, 64) == 100_000  # 20 epochs of 5,000
    assert enough_images(VAE, 20_000, 64) == 400_000
    assert enough_images(VAE, 10**7, 64) == 2_000_000
    assert enough_images(DCGAN, 20_000, 32) == 400_000
    assert enough_images(DCGAN, 20_000, 64) == 800_000


def test_the_largest_size_with_time_enough_is_chosen():
    small, middle, large = (predict(square(side, rate), VAE, 240) for side, rate in ((32, 4e3), (64, 1e3), (128, 250)))
    assert choose_size([small, middle, large]) is middle  # 200,000 of 100,000 images; the large one sees 50,000
    assert choose_size([large]) is large
    slow = [predict(square(side, 10), VAE, 240) for side in (32, 64)]
    assert choose_size(slow) is slow[0]  # no time for either: the smaller one learns more
    assert choose_size([predict(square(32, 1e3, fits=False), VAE, 240)]) is None


def test_a_doubled_batch_must_be_faster_fit_and_leave_steps():
    before = predict(TRIAL, VAE, 3600)

    def doubled(rate, seconds=3600, **changes):
        return predict(measured(batch=100, images_per_step=100, images_per_sec=rate, **changes), VAE, seconds)

    assert worth_doubling(before, doubled(1500))
    assert not worth_doubling(before, doubled(1200))
    assert not worth_doubling(before, doubled(1500, peak_bytes=2**33))
    assert not worth_doubling(before, doubled(1500, seconds=600))  # 8,400 steps


def test_it_goes_up_while_time_suffices_and_not_beyond_the_pictures(machine):
    tried = machine(20_000, native=128)
    found = plan("vae", "somewhere", budget="1h", batch=32)
    assert tried == [(64, 32), (128, 32)]  # 256 would only blow up what is there
    assert found.chosen.trial.height == 128
    assert found.command == f"latentry train vae --data somewhere --size 128 --batch 32 --images {found.chosen.images}"


def test_it_goes_down_while_time_does_not_suffice(machine):
    """At 64 pixels, 75 images a second for the 560 s that steps have of ten minutes."""
    tried = machine(300, native=128)
    found = plan("vae", "somewhere", budget="10m", batch=32)
    assert tried == [(64, 32), (32, 32)]
    assert found.chosen.trial.height == 32
    assert found.why[1] == "64 x 64 would see 41,984 of 100,000 images in that time"  # 1,312 whole steps


def test_a_given_size_and_batch_are_kept(machine):
    tried = machine(20_000)
    assert plan("vae", "somewhere", budget="1h", size=48, batch=32).chosen.trial.height == 48
    assert tried == [(48, 32)]


def test_the_batch_doubles_while_that_pays(machine):
    tried = machine(2_000, per_batch=1.5)
    found = plan("vae", "somewhere", budget="4h", size=32)
    assert found.chosen.trial.batch == 64  # and 128 is no faster than 64
    assert tried == [(32, 32), (32, 64), (32, 128)]
    assert any(line.startswith("batch 32: 2,000 images a second; batch 64: 3,000") for line in found.why)


@pytest.mark.parametrize("given", [{}, {"batch": 32}])
def test_passes_shorten_until_memory_suffices(machine, given):
    """The batch is what was asked for: of 8 GiB free, 32 at once take more than 8, 16 half of that."""
    machine(2_000, bytes_at_32=2**28 + 2**20)
    found = plan("vae", "somewhere", budget="10m", size=32, **given)
    assert (found.chosen.trial.batch, found.chosen.trial.micro_batch) == (32, 16)
    assert found.command.endswith("--micro-batch 16")
    assert found.why[-1] == "passes of 16 pictures, as memory does not suffice for 32 at once"


def test_the_batch_halves_where_it_cannot_be_taken_in_passes(machine):
    machine(2_000, bytes_at_32=2**28 + 2**20, no_passes=True)
    found = plan("vae", "somewhere", budget="10m", size=32)
    assert (found.chosen.trial.batch, found.chosen.trial.micro_batch) == (16, None)


def test_a_batch_that_the_recipe_refuses_is_left_alone(machine):
    machine(2_000, per_batch=1.5, refuse=(64,))
    assert plan("vae", "somewhere", budget="4h", size=32).chosen.trial.batch == 32


def test_too_little_memory_or_time_is_refused_in_one_line(machine):
    machine(2_000, bytes_at_32=2**32)
    with pytest.raises(
        InputError, match=r"batch \(=32\) needs 32.0 GiB in passes of 8; 8.0 GiB are free; close other programs"
    ):
        plan("vae", "somewhere", budget="10m", size=32)
    tried = machine(2_000)
    with pytest.raises(InputError, match=r"budget \(=30s\) is over before training begins: starting and .* take 30s"):
        plan("vae", "somewhere", budget="30s", size=32)
    assert [batch for _, batch in tried[-1:]] == [32]  # a smaller batch takes no less time to start
    with pytest.raises(InputError, match="budget"):
        plan("vae", "somewhere", budget="soon")


def test_a_time_that_shows_nothing_and_a_busy_machine_are_said():
    option = predict(measured(images_per_sec=10.0), VAE, 640)  # 6,000 of 100,000 images
    [short] = warn(option, 640, load=0.1)
    assert short.startswith("too short to show anything; 3.0h would be enough")
    assert warn(predict(TRIAL, VAE, 640), 640, load=0.1) == ()
    [load] = warn(predict(TRIAL, VAE, 640), 640, load=2.0)
    assert load.startswith("other programs keep this machine busy (2.0 processes for each processor)")
    assert busy() >= 0


def test_a_command_quotes_what_a_shell_would_read():
    option = predict(measured(height=32, width=48), VAE.with_settings(data="my pictures"), 140)
    assert command(VAE.with_settings(data="my pictures"), option) == (
        "latentry train vae --data 'my pictures' --size 32x48 --batch 50 --images 100000"
    )


def test_rate_and_tick_are_read_from_the_log_without_the_first_tick():
    log = [
        {"images": 100, "images_per_sec": 1.0, "seconds": 100.0},
        {"images": 300, "images_per_sec": 50.0, "seconds": 107.0},  # 4 s of steps after 3 s of the first tick
        {"images": 500, "images_per_sec": 100.0, "seconds": 111.0},  # 2 s of steps after 2 s of the second
    ]
    assert steady_rate(log) == pytest.approx(200 / 3)  # 400 images in 6 s
    assert tick_seconds(log) == pytest.approx(2.0)
    assert tick_seconds(log[:1]) == 0.0


def test_pictures_that_a_short_run_has_not_read_count_for_the_long_one():
    """Each fault brings in 64 KiB of the file, until all of it is there."""
    trial = measured(peak_bytes=10**9, images=1000, mapped_bytes=10**9, read_bytes=2**16)
    assert trial.peak_after(500) == 10**9
    assert trial.peak_after(2000) == 10**9 + 1000 * 2**16
    assert trial.peak_after(10**6) == 2 * 10**9 - 1000 * 2**16
    assert measured(peak_bytes=10**9, images=1000).peak_after(10**6) == 10**9  # in memory from the beginning


def test_a_real_trial_measures_and_what_training_refuses_is_refused():
    """A process of its own: seconds, most of them for importing torch."""
    found = plan("vae", "digits", budget="3m", size=8, batch=50, backbone="mlp", hidden=(16,), latent=2, ticks=4)
    trial = found.chosen.trial
    assert (trial.height, trial.batch, trial.images_per_step, trial.n_train) == (8, 50, 50, 1707)
    assert trial.images_per_sec > 500
    assert 100 * 2**20 < trial.peak_bytes < 3 * 2**30  # torch alone takes more than 100 MiB
    assert found.chosen.seconds == pytest.approx(180, rel=0.01)
    assert json.loads(json.dumps(found.to_json()))["chosen"] == 0
    with pytest.raises(InputError, match="backbone"):
        plan("vae", "digits", budget="3m", backbone="nonsense")
