"""What generated pictures show: collapse, oscillation, copies of training pictures, augmentation that leaks."""

from __future__ import annotations

import itertools
import math
import statistics

from latentry.metrics.leak import Leak
from latentry.settings.gan import GANSettings
from latentry.training.doctor.finding import Case, Curve, Finding
from latentry.training.doctor.rules_steps import stands_still

_ALIKE = 0.05  # diversity beside the reals': generators from DCGAN's weights start below, and leave it by step 150
_FALLEN = 0.4  # of its highest value so far, and below ...
_LOW = 0.5  # ... this, for a generator that had variety and lost it
_REPEATED = 0.5  # of generated pictures that another one repeats, while ...
_COVERED = 0.5  # ... less than this share of the reals has one near: else there are few pictures, but of all kinds
_COPIED = 0.3  # of generated pictures that are far nearer to one training picture than to any second
_NEARER = 0.75  # of the held-out pictures' ratio of distances
_UNMISTAKABLE = "flip", "rotation", "cutout"  # changes that unfinished pictures do not look like
_WANDERS = 0.6  # standard deviations of the reals, from tick to tick: healthy runs stay below 0.5, circles are above 1
_RETURNS = 0.35  # net way over the length of the path


def generator_collapse(case: Case) -> Finding | None:
    """Pictures that are alike whatever the latent."""
    if not isinstance(case.config.model, GANSettings):
        return None
    diversity = case.recent("signals", "pictures", "diversity")
    repeated = case.recent("signals", "pictures", "repeated")
    if not diversity or not repeated or case.young or stands_still(case) is not None:  # the cause, and told
        return None
    peak = max(case.values("signals", "pictures", "diversity"))
    alike = max(diversity) < _ALIKE
    fallen = max(diversity) < min(_LOW, _FALLEN * peak)
    coverage = case.last("signals", "pictures", "coverage")
    if not (alike or fallen or (min(repeated) > _REPEATED and coverage < _COVERED)):
        return None
    return Finding(
        "generator collapse",
        f"generated pictures differ {diversity[-1]:.0%} as much as real ones (highest {peak:.0%}), {repeated[-1]:.0%} "
        f"of them repeat another, and {coverage:.0%} of the real ones have one near",
        "The generator has found few pictures that please the critic, and makes only these.",
        _for_variety(case),
        case.curve("diversity beside the reals'", "signals", "pictures", "diversity", above=_ALIKE),
    )


def oscillation(case: Case) -> Finding | None:
    """The same latents' pictures wander to and fro, as a whole, instead of settling."""
    if not isinstance(case.config.model, GANSettings):
        return None
    places = case.values("signals", "pictures", "place")
    if len(places) < 10 or case.young:
        return None
    at = [record["images"] for record in case.log][-len(places) :]
    later, at = places[len(places) // 2 :], at[len(places) // 2 :]
    moves = [_distance(a, b) for a, b in itertools.pairwise(later)]
    straight = _distance(later[0], later[-1]) / max(sum(moves), 1e-9)
    if statistics.median(moves) < _WANDERS or straight > _RETURNS:
        return None
    return Finding(
        "oscillation",
        f"the mean generated picture moves {statistics.median(moves):.2f} standard deviations a tick, "
        f"and in {len(moves)} ticks got {straight:.0%} of that way",
        "Generator and critic chase each other in circles, faster than either learns.",
        f"--lr {case.config.training.lr / 3:.1g}, --constraint r1 --penalty 1, or --ema 20k",
        Curve("move of the mean picture since the tick before", tuple(at[1:]), tuple(moves), (None, _WANDERS)),
    )


def memorised_pictures(case: Case) -> Finding | None:
    """Generated pictures are copies of training pictures."""
    shares = case.recent("signals", "pictures", "copied")
    ratios = case.recent("signals", "pictures", "copied_ratio")
    if not shares or not ratios:
        return None
    real = case.last("signals", "pictures", "copied_ratio_real") or 1.0
    if min(shares) < _COPIED and max(ratios) > _NEARER * real:
        return None
    is_gan = isinstance(case.config.model, GANSettings)
    return Finding(
        "memorised pictures",
        f"{shares[-1]:.0%} of generated pictures lie three times nearer to one training picture than to any other; "
        f"distances to the two are as {ratios[-1]:.2f} to 1, for a new picture {real:.2f}",
        "Too few pictures for so large a network or so long a training: it reproduces them.",
        "--augment fixed, more pictures, or fewer --images" if is_gan else "more pictures, or fewer --images",
        case.curve("distance to the nearest over that to the second", "signals", "pictures", "copied_ratio",
                   above=_NEARER * real),
    )  # fmt: skip


def augmentation_leak(case: Case) -> Finding | None:
    """Generated pictures look turned, shifted or cut out; looked for at the last tick."""
    leaks = case.last("signals", "leak") or {}
    worst = max(leaks, key=lambda name: leaks[name][0] - leaks[name][1], default=None)
    if worst is None:
        return None
    share, share_real, z = leaks[worst]
    if worst not in _UNMISTAKABLE or not Leak(share, share_real, z).leaks:
        return None
    augment = case.config.augment
    rest = [name for name in augment.augment_policies if name != worst]
    return Finding(
        "augmentation leak",
        f"{share:.0%} of generated pictures look changed by {worst}, of plain real ones {share_real:.0%}",
        "The critic sees so many changed pictures that the generator takes them for real ones.",
        f"--augment-p {augment.augment_p / 2:g}" + (f", or --augment-policies {' '.join(rest)}" if rest else ""),
    )


def _distance(a: list[float], b: list[float]) -> float:
    """Root mean square over the axes."""
    return math.sqrt(statistics.fmean((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def _for_variety(case: Case) -> str:
    game = case.config.model
    assert isinstance(game, GANSettings)
    if game.packing == 1 and case.config.condition.condition == "none":
        return "--packing 2 (recipe pacgan), --constraint r1 --penalty 1 with --critic-norm none, or a smaller --lr"
    return "recipe wgan-gp, --constraint r1 --penalty 1 with --critic-norm none, or a smaller --lr"
