"""Each rule on a log made by hand: what it finds, and that it keeps quiet where all is well."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

import latentry
from latentry.training import doctor
from latentry.training.doctor import RULES, Case, diagnose
from latentry.training.doctor.rules_critic import (
    BALANCE,
    batch_norm_under_penalty,
    clipping,
    critic_losing,
    critic_overfitting,
    critic_winning,
    penalty_out_of_band,
    sigmoid_before_loss,
)
from latentry.training.doctor.rules_data import (
    broken_pictures,
    condition_ignored,
    duplicate_pictures,
    few_pictures,
    labels_without_meaning,
    non_finite,
)
from latentry.training.doctor.rules_latent import (
    codebook_collapse,
    kl_too_strong,
    kl_too_weak,
    overfitting,
    posterior_collapse,
)
from latentry.training.doctor.rules_pictures import (
    augmentation_leak,
    generator_collapse,
    memorised_pictures,
    oscillation,
)
from latentry.training.doctor.rules_steps import (
    exploding_gradients,
    learning_rate_too_high,
    stands_still,
    vanishing_gradients,
)

DATA = {"n_train": 5000, "image": {"channels": 1, "height": 10, "width": 10, "points": False}}


def case(
    recipe="dcgan", ticks=20, *, steps=100, train=None, held_out=None, signals=None, data=None, failure=None, **settings
):
    """A run of 20 ticks of so many steps, each with these terms; a function makes a term from the tick's number."""

    def at(tick, value):
        if isinstance(value, dict):
            return {name: at(tick, part) for name, part in value.items()}
        return value(tick) if callable(value) else value

    parts = {"train": train or {}, "held_out": held_out or {}, "signals": signals or {}}
    log = [
        {"step": steps * (tick + 1), "images": 1000 * (tick + 1), **{k: at(tick, part) for k, part in parts.items()}}
        for tick in range(ticks)
    ]
    config = latentry.RECIPES[recipe].config.with_settings(**settings)
    return Case(config, log, {**DATA, **(data or {})}, failure or {})


def test_every_rule_is_quiet_on_an_empty_log():
    """Otherwise a run would be called ill before its first tick."""
    for recipe in latentry.RECIPES:
        assert diagnose(case(recipe, ticks=0)) == []


def test_every_flag_that_is_named_is_one():
    """A finding that names a flag which the command refuses would send its reader in circles."""
    known = {"images"}
    for recipe in latentry.RECIPES.values():
        for group in recipe.config.groups:
            known |= {field.name.replace("_", "-") for field in dataclasses.fields(getattr(recipe.config, group))}
    sources = Path(doctor.__file__).parent.glob("*.py")
    named = {flag for source in sources for flag in re.findall(r"--([a-z][a-z0-9-]*)", source.read_text())}
    assert len(named) > 20
    assert named <= known


def test_every_finding_has_another_name():
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_the_guide_explains_every_finding_and_the_readme_counts_them():
    """What a terminal says is looked up by its name; a name without a line would leave its reader alone."""
    root = Path(__file__).parents[2]
    sources = "".join(path.read_text() for path in sorted(Path(doctor.__file__).parent.glob("rules_*.py")))
    names = set(re.findall(r"Finding\(\s*f?\"([^\"]+)\"", sources))
    rows = re.findall(r"(?m)^\| \*([^*]+)\* \|", (root / "docs/doctor.md").read_text())
    assert {name.replace("{network}", "...") for name in names} == set(rows)
    assert f"for {len(rows)} things that go wrong" in (root / "README.md").read_text()


# By hand: a critic that answers one half costs ln 2 on each side; least squares (1/2)^2 / 2 on each; a hinge 1.
def test_balance_of_each_loss_is_what_a_critic_that_cannot_tell_pays():
    import torch

    from latentry.losses.adversarial import ADVERSARIAL

    indifferent = {"least-squares": 0.5}
    for loss, expected in BALANCE.items():
        score = torch.full((3,), indifferent.get(loss, 0.0))
        paid = ADVERSARIAL[loss].critic(score, score, torch.ones(3), torch.zeros(3))
        assert paid.tolist() == pytest.approx([expected] * 3)


@pytest.mark.parametrize("loss", BALANCE)
def test_balance_is_no_finding_and_a_hundredth_of_it_is(loss):
    def run(critic):
        terms = {"loss_critic": critic, "loss_generator": 1.0}
        return critic_winning(case(loss=loss, train=terms, signals={"critic": {"real_above_fake": 1.0}}))

    assert run(BALANCE[loss]) is None
    assert run(BALANCE[loss] / 2) is None
    found = run(BALANCE[loss] / 100)
    assert found is not None
    assert f"{BALANCE[loss]:.3g} is balance" in found.evidence


def test_a_shrinking_wasserstein_estimate_is_no_finding():
    terms = {"loss_critic": lambda tick: -10 / (tick + 1), "loss_generator": 0.0, "penalty": 0.05}
    assert critic_winning(case("wgan-gp", train=terms, signals={"critic": {"real_above_fake": 1.0}})) is None


def test_a_critic_may_win_the_first_three_hundred_steps():
    terms = {"loss_critic": 0.001, "loss_generator": 1.0}
    run = lambda steps: critic_winning(case(train=terms, steps=steps))  # noqa: E731
    assert run(14) is None  # 280 in all
    assert run(15) is not None


def test_a_critic_that_errs_on_held_out_pictures_is_not_winning():
    terms = {"loss_critic": 0.001, "loss_generator": 1.0}
    assert critic_winning(case(train=terms, signals={"critic": {"real_above_fake": 0.6}})) is None


def test_a_critic_worse_than_none_is_losing():
    assert critic_losing(case(train={"loss_critic": 5.0, "critic_right": 0.0})) is not None
    assert critic_losing(case(train={"loss_critic": BALANCE["non-saturating"], "critic_right": 0.5})) is None
    assert critic_losing(case("wgan", train={"loss_critic": 5.0, "critic_right": 0.0})) is None


def test_the_flag_against_a_fast_critic_is_its_own_rate():
    terms = {"loss_critic": 0.001, "loss_generator": 1.0}
    found = critic_winning(case(train=terms, critic_lr=4e-3))
    assert found is not None
    assert found.change == "--critic-lr 0.0002 (now 0.004)"


def test_critic_overfitting_is_adas_share_of_the_way():
    def run(real, told_apart, n=100):
        scores = {"score_trained": 4.0, "score_real": real, "score_fake": -4.0}
        return critic_overfitting(
            case(held_out=scores, signals={"critic": {"trained_above_real": told_apart, "n_scored": n}})
        )

    assert run(real=3.5, told_apart=0.55) is None
    assert run(real=-2.0, told_apart=0.9, n=5) is None  # five pictures prove nothing
    found = run(real=-2.0, told_apart=0.9)
    assert found is not None
    assert "75% of the way" in found.evidence  # (4 - -2) / (4 - -4)


def test_the_penalty_band_is_around_a_norm_of_one():
    run = lambda value: penalty_out_of_band(case("wgan-gp", train={"penalty": value}))  # noqa: E731
    assert run(0.1) is None
    found = run(16.0)
    assert found is not None
    assert "norm is near 5" in found.evidence  # (5 - 1)^2
    assert penalty_out_of_band(case("dcgan", train={"penalty": 16.0})) is None
    young = lambda value: penalty_out_of_band(case("wgan-gp", train={"penalty": value}, steps=5))  # noqa: E731
    assert young(1.7) is None  # healthy critics get there before they settle
    assert young(16.0) is not None


def test_clipping_is_to_hold_some_weights_and_not_all():
    def run(share, apart):
        scores = {"score_real": apart, "score_fake": 0.0}
        return clipping(case("wgan", held_out=scores, signals={"critic": {"at_limit": share}}))

    assert run(0.5, 0.1) is None
    names = [found.name for found in (run(1.0, 0.1), run(0.5, 0.0), run(0.0, 80.0)) if found]
    assert names == ["clipping too tight", "clipping too tight", "clipping too loose"]
    assert clipping(case("wgan", signals={"critic": {"at_limit": 1.0}})) is None  # with --holdout 0 nothing is scored


def test_batch_statistics_matter_under_a_penalty_only():
    signals = {"critic": {"dependence": 0.1}}
    assert batch_norm_under_penalty(case("wgan-gp", signals=signals)) is not None
    assert batch_norm_under_penalty(case("dcgan", signals=signals)) is None
    assert batch_norm_under_penalty(case("wgan-gp", signals={"critic": {"dependence": 0.0}})) is None


def test_scores_bounded_by_nought_and_one_end_in_a_sigmoid():
    run = lambda low, high: sigmoid_before_loss(case("wgan", signals={"critic": {"bounds": [low, high]}}))  # noqa: E731
    assert run(0.001, 1.0) is not None
    assert run(-0.2, 0.9) is None
    assert run(0.1, 30.0) is None


def test_what_is_not_finite_is_named():
    failure = {"images": 700, "terms": ["kl"], "weights": ["encoder.a"], "n_weights": 3, "lr": 0.3, "pictures": 0.0}
    found = non_finite(case("vae", failure=failure))
    assert found is not None
    assert "kl" in found.evidence
    assert "encoder.a, of 3" in found.evidence
    assert "--lr 0.1" in found.change
    broken = non_finite(case("vae", failure={**failure, "pictures": 0.25}))
    assert broken is not None
    assert "25.00%" in broken.evidence
    held_out = non_finite(case("vae", held_out={"loss": math.nan, "kl": 1.0}))
    assert held_out is not None
    assert "loss is not finite" in held_out.evidence
    assert non_finite(case("vae", held_out={"loss": 1.0})) is None


def test_pictures_without_content_and_copies_are_counted():
    run = lambda **data: case("vae", signals={"data": {"constant": 0.0, "copies": 0.0, "not_finite": 0.0, **data}})  # noqa: E731
    assert broken_pictures(run()) is None
    assert broken_pictures(run(constant=0.2)) is not None
    assert broken_pictures(run(not_finite=0.001)) is not None
    assert duplicate_pictures(run(copies=0.01)) is None
    assert duplicate_pictures(run(copies=0.5)) is not None


def test_few_pictures_are_fine_where_the_critic_sees_them_augmented():
    assert few_pictures(case(data={"n_train": 50}, augment="none")) is not None
    assert few_pictures(case(data={"n_train": 50}, augment="fixed")) is None
    assert few_pictures(case(data={"n_train": 5000}, augment="none")) is None


def test_labels_and_obedience_are_judged_by_what_shows_in_real_pictures():
    def run(real, generated, recipe="cgan", steps=100):
        return case(recipe, signals={"probe": {"real": real, "generated": generated}}, steps=steps)

    assert labels_without_meaning(run([0.05, -0.1], [0.0, 0.0])) is not None
    assert labels_without_meaning(run([0.05, 0.8], [0.0, 0.0])) is None
    assert condition_ignored(run([0.8, 0.1], [0.05, 0.0])) is not None
    assert condition_ignored(run([0.8, 0.1], [0.6, 0.0])) is None
    assert condition_ignored(run([0.8], [0.16])) is not None
    assert condition_ignored(run([0.8], [0.16], "cvae", steps=15)) is None  # some obedience grows yet, ...
    assert condition_ignored(run([0.8], [0.0], "cvae", steps=15)) is not None  # ... none does not
    assert condition_ignored(run([0.8], [0.0], steps=49)) is None  # a GAN learns pictures first, 980 steps in all
    assert condition_ignored(run([0.8], [0.0], steps=50)) is not None
    assert condition_ignored(run([0.8], lambda tick: [0.01 * tick])) is None  # at a fifth by now, and growing
    assert condition_ignored(run([0.1, 0.1], [0.0, 0.0])) is None  # nothing shows: nothing can be obeyed
    assert condition_ignored(dataclasses.replace(run([0.8], [0.0]), log=run([0.8], [0.0]).log[:5])) is None  # too early


def test_long_and_short_steps_are_measured_by_the_weights():
    run = lambda ratio: case("dcgan", signals={"update": {f"generator.{i}": ratio for i in range(3)}})  # noqa: E731
    assert learning_rate_too_high(run(0.003)) is None
    found = learning_rate_too_high(run(0.2))
    assert found is not None
    assert "20.0%" in found.evidence
    assert stands_still(run(0.003)) is None
    still = stands_still(run(1e-9))
    assert still is not None
    assert still.name == "generator stands still"


def test_rmsprop_is_not_judged_by_its_first_hundred_steps():
    """Its average of squares starts at nought, so that they are up to ten times as long as the later ones."""

    def run(recipe):
        ratio = lambda tick: 0.08 if tick < 5 else 0.004  # noqa: E731  # five ticks of twenty steps
        moves = {"update": {f"generator.{i}": ratio for i in range(3)}}
        return learning_rate_too_high(case(recipe, steps=20, signals=moves))

    assert run("dcgan") is not None
    assert run("wgan") is None


def test_a_loss_thrown_off_at_the_start_is_a_high_rate_and_no_collapse():
    def run(first):
        terms = {"loss": lambda tick: first if tick == 0 else 100.0}
        return learning_rate_too_high(case("vae", train=terms, held_out={"kl": 50.0}, signals={"explained": 0.0}))

    assert run(1e4) is not None
    assert run(300.0) is None


def test_gradients_vanish_below_adams_epsilon_and_explode_far_above_one():
    run = lambda size: case(signals={"gradient": {f"critic.{i}": size for i in range(3)}})  # noqa: E731
    assert vanishing_gradients(run(1e-12)) is not None
    assert vanishing_gradients(run(1e-3)) is None
    assert exploding_gradients(run(500.0)) is not None
    assert exploding_gradients(run(2.0)) is None


def pictures(**values):
    usual = {"diversity": 0.8, "repeated": 0.0, "coverage": 0.5, "copied": 0.0, "copied_ratio": 0.98}
    return {"pictures": {**usual, **values}}


def test_collapse_is_pictures_alike_repeated_or_grown_alike():
    assert generator_collapse(case(signals=pictures())) is None
    assert generator_collapse(case(signals=pictures(diversity=0.01))) is not None
    assert generator_collapse(case(signals=pictures(repeated=0.9, coverage=0.1))) is not None
    assert generator_collapse(case(signals=pictures(repeated=0.9, coverage=0.6))) is None  # few, but of all kinds
    assert generator_collapse(case(signals=pictures(repeated=0.9, coverage=0.1), steps=14)) is None  # 280 steps in all
    still = {"update": {f"generator.{i}": 1e-9 for i in range(3)}}
    assert generator_collapse(case(signals=pictures(repeated=0.9, coverage=0.1) | still)) is None  # the cause is told
    assert generator_collapse(case(signals=pictures(diversity=lambda tick: 0.9 if tick < 10 else 0.1))) is not None
    assert generator_collapse(case(signals=pictures(diversity=0.2))) is None  # where slow generators are for long
    assert generator_collapse(case("vae", signals=pictures(diversity=0.01))) is None


def test_oscillation_comes_back_and_a_journey_does_not():
    circle = pictures(place=lambda tick: [math.cos(2.5 * tick), math.sin(2.5 * tick)])
    journey = pictures(place=lambda tick: [0.5 * tick, 0.0])
    still = pictures(place=lambda tick: [0.01 * (tick % 2), 0.0])
    assert oscillation(case(signals=circle)) is not None
    assert oscillation(case(signals=journey)) is None
    assert oscillation(case(signals=still)) is None


def test_copies_of_training_pictures():
    assert memorised_pictures(case(signals=pictures())) is None
    assert memorised_pictures(case(signals=pictures(copied=0.6, copied_ratio=0.2))) is not None


def test_a_leak_must_be_sure_large_and_not_a_fault_of_unfinished_pictures():
    run = lambda policy, leak: augmentation_leak(  # noqa: E731
        case(signals={"leak": {policy: leak}}, augment="fixed", augment_p=0.8, augment_policies=(policy,))
    )
    found = run("rotation", [0.6, 0.02, 20.0])
    assert found is not None
    assert "--augment-p 0.4" in found.change
    assert run("rotation", [0.1, 0.02, 3.0]) is None
    assert run("colour", [0.9, 0.0, 20.0]) is None


def test_posterior_collapse_needs_both_an_empty_latent_and_blind_reconstructions():
    run = lambda kl, units, seen, **settings: posterior_collapse(  # noqa: E731
        case("vae", held_out={"kl": kl, "active_units": units}, signals={"explained": seen}, **settings)
    )
    assert run(0.01, 0, 0.0) is not None
    assert run(30.0, 12, 0.9) is None
    assert run(0.3, 2, 0.6) is None
    found = run(0.01, 0, 0.0, beta=50.0)
    assert found is not None
    assert found.change == "--beta 5 (now 50)"


def nats(error, sigma=0.1, n=100):
    """The Gaussian reconstruction term of n values that are wrong by `error`, by hand."""
    return n * (0.5 * math.log(2 * math.pi * sigma**2) + error**2 / (2 * sigma**2))


def test_kl_is_weighed_by_the_noise_that_it_allows():
    """At beta 100 and sigma 0.1 pixels may be wrong by 1; where they are wrong by 0.2, the KL term is too heavy."""
    run = lambda rule, error, **settings: rule(  # noqa: E731
        case("vae", held_out={"kl": 20.0, "active_units": 5, "reconstruction": nats(error)}, **settings)
    )
    found = run(kl_too_strong, 0.2, beta=100.0)
    assert found is not None
    assert "wrong by 1, but they are wrong by 0.2;" in found.evidence
    assert run(kl_too_strong, 0.8, beta=100.0) is None
    assert run(kl_too_strong, 0.15, beta=1.0) is None
    assert run(kl_too_weak, 0.2, beta=0.0) is not None
    assert run(kl_too_weak, 0.2, beta=1.0) is None


def test_codebook_collapse_counts_codes():
    def run(usage, **settings):
        return codebook_collapse(case("vq-vae", train={"code_usage": usage, "perplexity": 12.0}, **settings))

    assert run(0.6) is None
    found = run(0.02)
    assert found is not None
    assert found.change == "--codes 16 (now 512)"
    unrevived = run(0.02, revival=0.0)
    assert unrevived is not None
    assert unrevived.change.startswith("--revival 20")


def test_overfitting_is_a_held_out_loss_that_turned():
    run = lambda held_out, train, steps=100: overfitting(  # noqa: E731
        case("vae", held_out={"reconstruction": held_out}, train={"reconstruction": train}, steps=steps)
    )
    assert run(lambda tick: 100 + (tick - 10) ** 2, lambda tick: 90.0 - tick) is not None
    assert run(lambda tick: 100 + (tick - 10) ** 2, lambda tick: 90.0 - tick, steps=4) is None  # 80 in all: it stumbles
    assert run(lambda tick: 200.0 - tick, lambda tick: 150.0 - tick) is None  # still falling
    assert run(lambda tick: 100 + 0.1 * tick, lambda tick: 99.0) is None  # training is no better
