"""Values that are not finite, and faults of the pictures and labels themselves."""

from __future__ import annotations

import math
from typing import Any

from latentry.settings.gan import GANSettings
from latentry.training.doctor.finding import Case, Finding

_BROKEN_SHARE = 0.005  # of the pictures that are one colour; `faces` and `digits` have none
_REPEATED_SHARE = 0.05  # of exact copies; `digits` and `faces` have none, web-scraped folders commonly 1 %
_FEW = 500  # pictures: DiffAugment's smallest sets have 100 to 400 (Zhao et al. 2020, table 3) and need augmentation
_FITTED = 0.15  # correlation of probe and label: at best 0.11 for shuffled digits, at worst 0.64 for true ones
_READABLE = 0.3  # correlation from which a column of the condition is held to show in small pictures
_IGNORED = 0.1  # of the reals' correlation; ten columns and 200 pictures put a generator that ignores them at 0 +- 0.03
# Likewise, for a run that had time. Conditional GANs on MNIST that make the right digit in 5 and 14 of 100 pictures are
# at 0.16 and below 0, those that do in 76 and more at 0.99 and above; in between the doctor keeps quiet.
_OBEYED = 0.25
_TIME = 500  # steps
_TIME_GAN = 1000  # a GAN learns pictures first: one that was at 0.05 by step 800 was at 0.15 by 1000 and 0.4 by 1600
_RISING = 0.05  # since half the ticks ago: what still grows is not ignored


def non_finite(case: Case) -> Finding | None:
    """A loss, weight or score that is not a number: the loop stops, and says in `failure.json` where it was."""
    failure = case.failure
    if failure:
        weights, n = failure["weights"], failure["n_weights"]
        where = f"; first such weights {weights[0]}, of {n} in all" if weights else "; all weights are finite"
        terms = f"the loss term {', '.join(failure['terms'])} was not" if failure["terms"] else "the loss was"
        evidence = f"by image {failure['images']:,} {terms} finite{where}"
        lr = failure["lr"]
        if failure["pictures"]:
            share = f"{failure['pictures']:.2%} of the training pictures hold values that are not numbers"
            return Finding("non-finite values", f"{evidence}; {share}", "The data are broken.", _CLEAN)
        cause = "Steps that are too long, or an operation of a network that overflows or divides by zero."
        return Finding("non-finite values", evidence, cause, f"--lr {lr / 3:.1g} (now {lr:g}), or --clip 1")
    broken = sorted({name for record in case.log for name in _not_finite(record.get("held_out") or {})})
    if not broken:
        return None
    evidence = f"on held-out pictures {', '.join(broken)} is not finite, while training goes on"
    return Finding("non-finite values", evidence, "Held-out pictures that are not numbers, or an overflow.", _CLEAN)


_CLEAN = "latentry inspect DATA names the faults; take the broken pictures out"


def broken_pictures(case: Case) -> Finding | None:
    """Pictures without content."""
    constant, not_finite = case.last("signals", "data", "constant"), case.last("signals", "data", "not_finite")
    if constant is None or (constant < _BROKEN_SHARE and not not_finite):
        return None
    what = f"{constant:.1%} of the training pictures are one colour"
    if not_finite:
        what += f", {not_finite:.2%} hold values that are not numbers"
    return Finding("broken pictures", what, "Files that were written empty, or blank pages among the data.", _CLEAN)


def duplicate_pictures(case: Case) -> Finding | None:
    """Exact copies among the training pictures."""
    share = case.last("signals", "data", "copies") or 0.0
    if share < _REPEATED_SHARE:
        return None
    evidence = f"{share:.0%} of the training pictures looked at are exact copies of another one"
    cause = "The same files in several folders; the model learns the repeated pictures better than the others."
    return Finding("duplicate pictures", evidence, cause, "latentry inspect DATA lists them; keep one of each")


def few_pictures(case: Case) -> Finding | None:
    """So few that they are learnt by heart, and nothing is done about it."""
    n, config = case.data.get("n_train", _FEW), case.config
    if n >= _FEW or case.data.get("image", {}).get("points"):
        return None
    is_gan = isinstance(config.model, GANSettings)
    if is_gan and config.augment.augment in ("fixed", "adaptive"):
        return None
    seen = f", each seen {case.log[-1]['images'] / n:,.0f} times so far" if case.log else ""
    evidence = f"{n} training pictures{seen}"
    changes = ["--augment fixed" if is_gan else "more pictures"]
    if config.data.flip != "yes":
        changes.append("--flip yes where left and right are alike")
    change = (", and " if is_gan else ", or ").join(changes)
    cause = "A network of this size holds them all, and learns them instead of what they have in common."
    return Finding("few pictures", evidence, cause, change)


def labels_without_meaning(case: Case) -> Finding | None:
    """A probe cannot read the condition in the real pictures."""
    read = case.last("signals", "probe", "real")
    if read is None or max(read) >= _FITTED:
        return None
    evidence = f"a probe of the real pictures reads none of {len(read)} labels (best correlation {max(read):.2f})"
    cause = "Labels in another order than the pictures, or labels of what small pictures do not show."
    return Finding("labels without meaning", evidence, cause, "look at pictures with their labels; or --condition none")


def condition_ignored(case: Case) -> Finding | None:
    """What can be read in real pictures cannot be read in those that were asked to be so."""
    if case.young or case.progress < 0.5:
        return None
    pairs = case.values("signals", "probe")
    obedience = [_obedience(pair) for pair in pairs]
    is_gan, steps = isinstance(case.config.model, GANSettings), case.log[-1].get("step", _TIME_GAN)
    if len(obedience) < 3 or (is_gan and steps < _TIME_GAN):
        return None
    rising = obedience[-1] - obedience[len(obedience) // 2] >= _RISING
    if rising or max(obedience[-3:]) >= (_OBEYED if steps >= _TIME else _IGNORED):
        return None
    pair = pairs[-1]
    evidence = (
        f"a probe reads the condition in generated pictures {max(0.0, obedience[-1]):.0%} as well as in real ones "
        f"({sum(value >= _READABLE for value in pair['real'])} labels that show)"
    )
    change = f"{'--critic-condition projection' if is_gan else 'a smaller --latent'}, or --condition-by norm"
    return Finding("condition ignored", evidence, "The generator does not need the label to please its loss.", change)


def _obedience(pair: dict[str, list[float]]) -> float:
    """The generated pictures' correlations with what was asked for, as a share of the reals' with their labels."""
    readable = [(real, fake) for real, fake in zip(pair["real"], pair["generated"], strict=True) if real >= _READABLE]
    return sum(fake / real for real, fake in readable) / len(readable) if readable else 1.0


def _not_finite(terms: dict[str, Any]) -> list[str]:
    return [
        name
        for name, value in terms.items()
        if not all(math.isfinite(number) for number in (value if isinstance(value, list) else [value]))
    ]
