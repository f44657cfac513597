"""Steps that are too long or too short, and gradients that vanish or explode."""

from __future__ import annotations

import math
import statistics

from latentry.settings.gan import GANSettings
from latentry.training.doctor.finding import Case, Curve, Finding

# How far one step moves a weight matrix, median over the layers, in the first half of a run: healthy runs of every
# recipe stay between 1e-4 and 0.03; DCGAN at 250 times its rate begins at 0.13 and is at 0.05 a quarter in.
_LONG_STEP = 0.045
_STILL_STEP = 1e-5
_FILLED = 100  # steps until RMSprop's average of squares, at 0.99, has left nought: before, its steps are too long
_LAYERS = 3  # fewer weight matrices than this have no middle one, and a zero first weight moves by all of its size
_JUMP = 10.0  # times its last value: a VAE at 50 times its rate begins 39 times as high, healthy ones at most 4
_UNSEEN = 0.05  # of the pictures' variance: reconstructions that explain less are one and the same picture
_ADAM_EPS = 1e-8  # below such gradients the optimiser no longer evens their size out
_EXPLODED = 20.0  # root mean square of a layer's gradient of a loss of a GAN; healthy critics stay below 3


def learning_rate_too_high(case: Case) -> Finding | None:
    """Steps as long as the weights, or a loss that was thrown off at the start and never came back."""
    lr, steps, game = case.config.training.lr, _steps(case), case.config.model
    for network, curve in steps.items():
        values = list(curve.values())
        if network == "critic" and isinstance(game, GANSettings) and game.constraint == "clip":
            continue  # clipping keeps the weights small, so any step is long beside them
        if len(values) >= 3 and (long := statistics.median(values[: max(3, len(values) // 3)])) > _LONG_STEP:
            flag = "--critic-lr" if network == "critic" and case.config.critic.critic_lr else "--lr"
            now = (case.config.critic.critic_lr or lr) if network == "critic" else lr
            return Finding(
                "learning rate too high",
                f"one step moves the weights of the {network} by {long:.1%} of their size, in the middle layer",
                "Steps so long that each undoes what the last one learnt.",
                f"{flag} {now / 10:.1g} (now {now:g})",
                _curve(f"step of the {network} over its weights", curve, _LONG_STEP),
            )
    losses, seen = case.values("train", "loss"), case.recent("signals", "explained")
    if len(losses) < 3 or not seen or max(seen) > _UNSEEN or not _uses_latent(case):
        return None
    jump = losses[0] / losses[-1] if losses[-1] > 0 else 1.0
    if jump < _JUMP:
        return None
    return Finding(
        "learning rate too high",
        f"the loss began at {jump:,.0f} times its present value, and reconstructions explain {max(0.0, seen[-1]):.0%} "
        "of the pictures' variance",
        "The first steps were so long that the decoder's units died, and no gradient wakes them.",
        f"--lr {lr / 10:.1g} (now {lr:g}), or --clip 1",
        case.curve("share of variance explained", "signals", "explained", above=_UNSEEN),
    )


def stands_still(case: Case) -> Finding | None:
    """A network whose weights do not move, though its gradient is there."""
    for network, curve in _steps(case).items():
        values = list(curve.values())
        if len(values) < 3 or max(values) > _STILL_STEP or _vanished(case, network):
            continue
        training, critic = case.config.training, case.config.critic
        now = (critic.critic_lr or training.lr) if network == "critic" else training.lr
        return Finding(
            f"{network} stands still",
            f"no step moved the weights of the {network} by more than {max(values):.1g} of their size",
            f"A learning rate of {now:g} is far too small for it.",
            f"{'--critic-lr' if network == 'critic' else '--lr'} 0.0002",
            _curve(f"step of the {network} over its weights", curve, None),
        )
    return None


def vanishing_gradients(case: Case) -> Finding | None:
    """Gradients below what the optimiser can still even out."""
    for network in _networks(case):
        if _vanished(case, network):
            sizes = _sizes(case, network)
            layer, size = min(sizes.items(), key=lambda item: item[1])
            return Finding(
                "vanishing gradients",
                f"the gradient of the {network} is {statistics.median(sizes.values()):.1g} in the middle layer and "
                f"{size:.1g} in {layer}, below the optimiser's 1e-08",
                "Weights near zero, dead units or a saturated last nonlinearity let no signal through.",
                "weight clipping: a larger --clip-weights; else --loss non-saturating, or --norm batch",
            )
    return None


def exploding_gradients(case: Case) -> Finding | None:
    """Gradients of a GAN far beyond what its losses give: they are in units of the score."""
    if not isinstance(case.config.model, GANSettings):
        return None
    for network in _networks(case):
        largest = [max(sizes.values()) for sizes in _all_sizes(case, network) if sizes]
        if len(largest) >= 3 and min(largest[-3:]) > _EXPLODED:
            sizes = _sizes(case, network)
            layer = max(sizes, key=lambda name: sizes[name])
            return Finding(
                "exploding gradients",
                f"the gradient of {layer} is {sizes[layer]:,.0f}, root mean square, and was {largest[0]:.2g} at first",
                "Nothing keeps the critic's slope, or a step is too long.",
                "--constraint gradient-penalty --penalty 10, or --clip 1",
                _curve(
                    f"largest gradient in the {network}",
                    {record["images"]: value for record, value in zip(case.log, largest, strict=False)},
                    _EXPLODED,
                ),
            )
    return None


def _uses_latent(case: Case) -> bool:
    """Whether something is encoded: else reconstructions are all alike for another reason."""
    kl = case.last("held_out", "kl")
    return kl is None or kl > 5.0


def _networks(case: Case) -> list[str]:
    """The networks that have gradients: generator and critic, or encoder and decoder."""
    last = case.last("signals", "gradient") or {}
    return list(dict.fromkeys(layer.partition(".")[0] for layer in last))


def _all_sizes(case: Case, network: str) -> list[dict[str, float]]:
    """The finite gradients of a network, by layer, at each tick."""
    return [
        {name: size for name, size in sizes.items() if name.split(".")[0] == network and math.isfinite(size)}
        for sizes in case.values("signals", "gradient")
    ]


def _sizes(case: Case, network: str) -> dict[str, float]:
    return _all_sizes(case, network)[-1]


def _vanished(case: Case, network: str) -> bool:
    """Whether the middle layer's gradient has been below what counts at each of the last three ticks."""
    newest = [sizes for sizes in _all_sizes(case, network)[-3:] if sizes]
    return len(newest) == 3 and all(statistics.median(sizes.values()) < _ADAM_EPS for sizes in newest)


def _steps(case: Case) -> dict[str, dict[int, float]]:
    """For each network, by images seen in the first half, the median over its layers of how far a step moves a weight.

    Later the schedule has brought the learning rate down, and short steps say nothing.
    """
    training = case.config.training
    filled = _FILLED if training.optimiser == "rmsprop" else 0
    found: dict[str, dict[int, float]] = {}
    for record in case.log[: max(3, training.ticks // 2)]:
        if record.get("step", filled) < filled:
            continue
        networks: dict[str, list[float]] = {}
        for layer, ratio in ((record.get("signals") or {}).get("update") or {}).items():
            if math.isfinite(ratio):
                networks.setdefault(layer.partition(".")[0], []).append(ratio)
        for network, values in networks.items():
            if len(values) >= _LAYERS:
                found.setdefault(network, {})[record["images"]] = statistics.median(values)
    return found


def _curve(name: str, values: dict[int, float], below: float | None) -> Curve:
    return Curve(name, tuple(values), tuple(values.values()), (None, below))
