"""The game between critic and generator: who wins, what the constraint does, whether the critic is built right.

What is normal differs from loss to loss. Where neither side can tell, the critic's loss is 2 ln 2 for the two losses of
Goodfellow et al. (that is the goal, not a failure), a quarter for least squares, 2 for the hinge, ln 2 for the
relativistic pair; a critic that always wins brings it to 0. A Wasserstein critic has no such scale: its loss is minus a
distance, negative all run, and comes nearer to 0 as the pictures become better.
"""

from __future__ import annotations

import math

from latentry.settings.gan import PENALTIES, GANSettings
from latentry.training.doctor.finding import Case, Finding
from latentry.training.doctor.rules_steps import stands_still

BALANCE = {
    "minimax": 2 * math.log(2),
    "non-saturating": 2 * math.log(2),
    "least-squares": 0.25,
    "hinge": 2.0,
    "relativistic": math.log(2),
}
_WON = 0.02  # of the balance: healthy DCGANs pass through 0.05 in their first minutes, see reproductions/doctor.md
_LOST = 1.3  # times the balance
_WRONG = 0.3  # of training pairs that the critic orders right
_ALWAYS = 0.98  # of pairs of held-out and generated pictures that the critic orders right
_OVERFIT = 0.5  # r_v of Karras et al. 2020 (ADA), section 3.1, which they steer to in place of 0.6 for the sign
_TOLD_APART = 0.65  # of pairs; 0.5 for a critic that does not know its training pictures
_N_SCORED = 20  # held-out pictures below which their mean score says little
_OFF_UNIT = 0.6  # a mean (|g| - 1)^2: the norm is beside one by three quarters
_FAR_OFF = 10.0  # likewise, a norm above four; a healthy critic passes through 1.7 in its first hundred steps
_TIGHT = 1e-6  # largest difference of scores
_LOOSE = 0.02  # of weights at the limit
_FULL = 0.98
_DEPENDS = 1e-4  # of the gradient to a picture's own score; exactly 0 without statistics over the batch


def critic_winning(case: Case) -> Finding | None:
    """The critic's loss is next to nothing and it errs on no picture; the generator learns little from it."""
    game = case.config.model
    if not isinstance(game, GANSettings) or game.loss not in BALANCE:
        return None
    balance, losses = BALANCE[game.loss], case.recent("train", "loss_critic", n=4)
    apart = case.recent("signals", "critic", "real_above_fake", n=4)
    if game.constraint in PENALTIES or case.young or not losses or max(losses) > _WON * balance:
        return None
    if (apart and min(apart) < _ALWAYS) or stands_still(case) is not None:  # the latter is the cause, and told
        return None
    generator = case.last("train", "loss_generator")
    return Finding(
        "critic winning",
        f"the critic's loss is {losses[-1]:.3g}, where {balance:.3g} is balance for loss={game.loss}, and the "
        f"generator's {generator:.3g}",
        "The critic is sure of every picture, so what it passes back says little about how to improve.",
        _weaken(case),
        case.curve("critic's loss", "train", "loss_critic", above=_WON * balance),
    )


def critic_losing(case: Case) -> Finding | None:
    """The critic does worse than one that cannot tell: it has not learnt what the generator already uses."""
    game = case.config.model
    if not isinstance(game, GANSettings) or game.loss not in BALANCE:
        return None
    balance, losses = BALANCE[game.loss], case.recent("train", "loss_critic", n=4)
    right = case.recent("train", "critic_right", n=4)
    if not losses or not right or min(losses) < _LOST * balance or max(right) > _WRONG:
        return None
    lr, critic_lr = case.config.training.lr, case.config.critic.critic_lr
    return Finding(
        "critic losing",
        f"the critic's loss is {losses[-1]:.3g}, where {balance:.3g} is that of one that cannot tell, and it orders "
        f"{right[-1]:.0%} of pairs right",
        "The critic learns too slowly, so the generator pleases it with whatever it falls for.",
        f"--critic-lr {lr:g} (now {critic_lr:g})" if critic_lr is not None and critic_lr < lr else "--critic-steps 2",
        case.curve("critic's loss", "train", "loss_critic", below=_LOST * balance),
    )


def critic_overfitting(case: Case) -> Finding | None:
    """Held-out real pictures are scored like generated ones, and those trained on are not."""
    trained, real, fake = (case.recent("held_out", f"score_{name}") for name in ("trained", "real", "fake"))
    told_apart = case.recent("signals", "critic", "trained_above_real")
    n = case.last("signals", "critic", "n_scored") or 0
    if not (trained and real and fake and told_apart) or n < _N_SCORED or min(told_apart) < _TOLD_APART:
        return None
    shares = [(t - r) / (t - f) if t > f else 0.0 for t, r, f in zip(trained, real, fake, strict=True)]
    if min(shares) < _OVERFIT:
        return None
    return Finding(
        "critic overfitting",
        f"held-out pictures score {real[-1]:.3g}, pictures trained on {trained[-1]:.3g}, generated ones "
        f"{fake[-1]:.3g}: {shares[-1]:.0%} of the way",
        "The critic knows its training pictures by heart, and takes other real ones for generated.",
        _against_overfitting(case),
        case.curve("pairs told apart by training", "signals", "critic", "trained_above_real", below=_TOLD_APART),
    )


def penalty_out_of_band(case: Case) -> Finding | None:
    """The gradient penalty that is to hold the norm at one does not."""
    game = case.config.model
    if not isinstance(game, GANSettings) or game.constraint not in ("gradient-penalty", "dragan"):
        return None
    values = case.recent("train", "penalty", n=4)
    band = _FAR_OFF if case.young else _OFF_UNIT
    if not values or min(values) < band or batch_norm_under_penalty(case) is not None:  # the cause, and told
        return None
    steep = values[-1] > 1
    norm = f"near {1 + math.sqrt(values[-1]):.3g}, not one" if steep else f"off one by {math.sqrt(values[-1]):.2g}"
    return Finding(
        "penalty out of its band",
        f"the penalty is {values[-1]:.3g} before its factor {game.penalty:g}: the gradient's norm is {norm}",
        "The factor is too small beside the scores, or the learning rate too high for it to hold.",
        f"--penalty 10 (now {game.penalty:g})" if game.penalty < 10 else f"--lr {case.config.training.lr / 3:.1g}",
        case.curve("penalty before its factor", "train", "penalty", below=band),
    )


def clipping(case: Case) -> Finding | None:
    """Weight clipping that holds every weight, or none."""
    game = case.config.model
    held = case.recent("signals", "critic", "at_limit", n=4)
    if not isinstance(game, GANSettings) or game.constraint != "clip" or not held:
        return None
    limit, curve = game.clip_weights, case.curve("share of weights at the limit", "signals", "critic", "at_limit")
    real, fake = (case.recent("held_out", f"score_{kind}", n=1) for kind in ("real", "fake"))
    if not real or not fake:  # nothing is held out
        return None
    gap = abs(real[-1] - fake[-1])
    told = f"{held[-1]:.1%} of the critic's weights stand at the limit of {limit:g}"
    if gap < _TIGHT or min(held) > _FULL:
        return Finding(
            "clipping too tight",
            f"{told}, and real and generated pictures score {gap:.1g} apart",
            "With weights this small each layer shrinks its signal, and nothing is left of it at the end.",
            f"--clip-weights {max(0.01, 3 * limit):g} (now {limit:g}), or --constraint gradient-penalty",
            curve,
        )
    if max(held) < _LOOSE:
        return Finding(
            "clipping too loose",
            f"{told}, and real and generated pictures score {gap:,.3g} apart",
            "A limit that no weight reaches keeps no slope: the scores are no estimate of a distance.",
            f"--clip-weights 0.01 (now {limit:g}), or --constraint gradient-penalty",
            curve,
        )
    return None


def batch_norm_under_penalty(case: Case) -> Finding | None:
    """A critic under a penalty whose score of one picture depends on the others; the settings refuse it of ours."""
    game, found = case.config.model, case.recent("signals", "critic", "dependence", n=2)
    if not isinstance(game, GANSettings) or game.constraint not in PENALTIES or not found or min(found) < _DEPENDS:
        return None
    return Finding(
        "batch norm under a penalty",
        f"the gradient of one score towards other pictures is {found[-1]:.1%} of that towards its own",
        f"The critic normalises over the batch, but {game.constraint} is on each picture's own gradient "
        "(Gulrajani et al. 2017, section 4).",
        "group or no normalisation in your critic; of the critics here --critic-norm none",
    )


def sigmoid_before_loss(case: Case) -> Finding | None:
    """Scores that stay between 0 and 1 even for pictures far out of range: every loss here takes scores as they are."""
    ranges = case.values("signals", "critic", "bounds")[-2:]
    if len(ranges) < 2 or not all(low >= 0 and high <= 1 and high > low for low, high in ranges):
        return None
    low, high = ranges[-1]
    game = case.config.model
    assert isinstance(game, GANSettings)
    return Finding(
        "sigmoid before the loss",
        f"scores lie between {low:.3g} and {high:.3g}, even of pictures blown up a hundredfold",
        f"Your critic ends in a sigmoid, and loss={game.loss} takes the number before it.",
        "remove the last nonlinearity of your critic",
    )


def _weaken(case: Case) -> str:
    """What makes the critic less sure, for this run."""
    config = case.config
    game, lr = config.model, config.training.lr
    assert isinstance(game, GANSettings)
    if config.critic.critic_lr is not None and config.critic.critic_lr > lr:
        return f"--critic-lr {lr:g} (now {config.critic.critic_lr:g})"
    if game.loss == "minimax":
        return "--loss non-saturating"
    return "--constraint r1 --penalty 1 (with --critic-norm none), --smoothing 0.1 or --critic-dropout 0.3"


def _against_overfitting(case: Case) -> str:
    augment = case.config.augment
    if augment.augment == "none":
        return "--augment fixed"
    return "--augment-policies colour translation cutout flip, more pictures, or a smaller --critic-width"
