"""The rules, in the order in which their findings are told, and their use on a run."""

from __future__ import annotations

from pathlib import Path

from latentry.files import read_json
from latentry.training.doctor.failure import read_failure
from latentry.training.doctor.finding import Case, Finding, Rule
from latentry.training.doctor.rules_critic import (
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
from latentry.training.run import open_run

RULES: tuple[Rule, ...] = (
    non_finite,
    broken_pictures,
    duplicate_pictures,
    few_pictures,
    labels_without_meaning,
    learning_rate_too_high,
    stands_still,
    sigmoid_before_loss,
    batch_norm_under_penalty,
    clipping,
    penalty_out_of_band,
    vanishing_gradients,
    exploding_gradients,
    critic_winning,
    critic_losing,
    critic_overfitting,
    generator_collapse,
    oscillation,
    memorised_pictures,
    augmentation_leak,
    condition_ignored,
    posterior_collapse,
    kl_too_strong,
    kl_too_weak,
    codebook_collapse,
    overfitting,
)


def diagnose(case: Case) -> list[Finding]:
    """What goes wrong in a run, causes before their consequences."""
    found = (rule(case) for rule in RULES)
    return [finding for finding in found if finding is not None]


def diagnose_run(path: Path) -> list[Finding]:
    """What went wrong in a run on disk, whether it has ended, was stopped or is still going.

    Raises:
        InputError: it is no run, or a file in it is damaged.
    """
    return diagnose(read_case(path))


def read_case(path: Path) -> Case:
    """All that is known of a run on disk.

    Raises:
        InputError: it is no run, or a file in it is damaged.
    """
    run = open_run(path)
    return Case(run.read_config(), run.read_log(), read_json(run.data_file), read_failure(path))
