"""The settings of generative adversarial networks: the game, its critic, and augmentation for small data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latentry.errors import InputError
from latentry.settings.network import Activation, Downsampling, Norm

GANLoss = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"]
Constraint = Literal["none", "clip", "gradient-penalty", "r1", "r2", "r1-r2", "spectral", "dragan"]
CriticCondition = Literal["concatenation", "projection", "auxiliary", "projection-auxiliary"]
AugmentPolicy = Literal["colour", "translation", "cutout", "flip", "rotation"]

WITH_LABELS: tuple[GANLoss, ...] = ("minimax", "non-saturating", "least-squares")  # losses that have target labels
_SAFE_ROTATION = 0.8  # augment-p above which the upright pictures are no longer the most frequent by much
PENALTIES: tuple[Constraint, ...] = ("gradient-penalty", "r1", "r2", "r1-r2", "dragan")


@dataclass(frozen=True)
class GANSettings:
    """A generative adversarial network; every variant of the family is a choice of these."""

    latent: int = 128
    """numbers in the latent, standard normal."""
    output: Literal["tanh", "linear"] = "tanh"
    """the generator's last nonlinearity; linear is for the toy worlds, whose points have no range."""
    loss: GANLoss = "non-saturating"
    """what critic and generator minimise; relativistic compares each real picture with a generated one."""
    constraint: Constraint = "none"
    """what keeps the critic smooth: weight clipping, a gradient penalty of one kind, or spectral normalisation."""
    clip_weights: float = 0.01
    """constraint=clip: the critic's weights stay within plus and minus this."""
    penalty: float = 10.0
    """factor of the penalty: lambda of gradient-penalty and dragan; gamma of r1 and r2, which halve the square."""
    penalty_end: float | None = None
    """what the factor falls to at the end of the run, along a cosine; None keeps it."""
    critic_steps: int = 1
    """updates of the critic for each one of the generator, each on pictures of its own."""
    packing: int = 1
    """pictures that the critic judges together (PacGAN); must divide the batch."""
    smoothing: float = 0.0
    """how far the labels of real pictures lie below 1 (loss with labels only)."""
    smooth_both: bool = False
    """whether the labels of generated pictures lie as far above 0."""
    label_noise: float = 0.0
    """probability that a label in the critic's step is flipped."""
    critic_condition: CriticCondition = "concatenation"
    """how a conditional critic is told: beside the picture, by projection, not at all, having to guess (ACGAN), or by
    projection while it has to guess as well."""
    auxiliary: float = 1.0
    """where the critic has to guess the condition: weight of the guess in both losses."""
    guess_from: Literal["all", "real"] = "all"
    """whether the critic learns to guess from real and generated pictures, as in ACGAN, or from real ones alone, so
    that the generator cannot teach it signs of its own."""
    doubt: float = 0.0
    """guess-from=real: weight with which the critic learns to deny the requested label on generated pictures, beside
    its loss on real ones (a discriminative classifier, as in ADC-GAN), so that signs which only generated pictures have
    do not pay; numbers are not doubted."""

    def __post_init__(self) -> None:
        """Refuse values outside their range, and combinations that no paper defines."""
        for name in ("latent", "critic_steps", "packing"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} (={getattr(self, name)}) must be at least 1")
        if not self.clip_weights > 0:
            raise InputError(f"clip-weights (={self.clip_weights}) must be above 0")
        if not self.penalty >= 0 or (self.penalty_end is not None and not self.penalty_end >= 0):
            raise InputError(f"penalty (={self.penalty}) and penalty-end (={self.penalty_end}) must be 0 or more")
        if not self.auxiliary >= 0:
            raise InputError(f"auxiliary (={self.auxiliary}) must be 0 or more")
        if not 0 <= self.smoothing < 0.5 or not 0 <= self.label_noise < 0.5:
            raise InputError(
                f"smoothing (={self.smoothing}) and label-noise (={self.label_noise}) must be at least 0 and below 0.5"
            )
        if not self.doubt >= 0:
            raise InputError(f"doubt (={self.doubt}) must be 0 or more")
        if self.doubt and self.guess_from == "all":
            raise InputError(
                f"doubt (={self.doubt}) unlearns what guess-from=all learns of generated pictures; "
                "use guess-from=real, or doubt=0"
            )
        if (self.smoothing or self.label_noise) and self.loss not in WITH_LABELS:
            raise InputError(
                f"loss={self.loss} has no labels to smooth or flip; leave smoothing and label-noise at 0, "
                f"or use loss={', '.join(WITH_LABELS)}"
            )


@dataclass(frozen=True)
class CriticSettings:
    """The critic's network, where it is not a mirror of the generator's, and its optimiser."""

    critic_width: int | None = None
    """conv, residual, modern: channels of the first stage; None takes the generator's."""
    critic_hidden: tuple[int, ...] | None = None
    """mlp: units of the hidden layers, in order; None takes the generator's, reversed."""
    critic_blocks: int | None = None
    """residual, modern: blocks in each stage; None takes the generator's."""
    critic_norm: Norm = "none"
    """normalisation before each activation but the first; batch is refused under a gradient penalty."""
    critic_activation: Activation = "leaky-relu"
    """nonlinearity of every hidden layer."""
    critic_downsampling: Downsampling = "strided"
    """how the critic halves the picture."""
    critic_dropout: float = 0.0
    """share of each hidden layer's numbers that is dropped while training."""
    critic_lr: float | None = None
    """learning rate of the critic; None takes the generator's."""
    critic_schedule: Literal["constant", "cosine", "linear", "step"] | None = None
    """the critic's learning rate over the run; None takes the generator's schedule."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        for name in ("critic_width", "critic_blocks"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name.replace('_', '-')} (={value}) must be at least 1")
        if self.critic_hidden is not None and any(units < 1 for units in self.critic_hidden):
            raise InputError(f"critic-hidden (={self.critic_hidden}) must hold numbers of units of at least 1 each")
        if not 0 <= self.critic_dropout < 1:
            raise InputError(f"critic-dropout (={self.critic_dropout}) must be at least 0 and below 1")
        if self.critic_lr is not None and not self.critic_lr > 0:
            raise InputError(f"critic-lr (={self.critic_lr}) must be above 0")


@dataclass(frozen=True)
class AugmentSettings:
    """Augmentation of what the critic sees, real and generated alike, so that few pictures are not memorised."""

    augment: Literal["auto", "none", "fixed", "adaptive"] = "auto"
    """fixed: DiffAugment; adaptive: the probability follows the critic (ADA); auto: fixed below 2,000 pictures."""
    augment_policies: tuple[AugmentPolicy, ...] = ("colour", "translation", "cutout")
    """what is done to a picture: colour, translation, cutout, flip, rotation."""
    augment_p: float = 1.0
    """augment=fixed: probability of each policy for each picture."""
    augment_target: float = 0.6
    """augment=adaptive: mean sign of the critic on real pictures that the probability is steered to."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not 0 <= self.augment_p <= 1:
            raise InputError(f"augment-p (={self.augment_p}) is a probability, from 0 to 1")
        if not -1 < self.augment_target < 1:
            raise InputError(f"augment-target (={self.augment_target}) must be between -1 and 1; the paper uses 0.6")
        if self.augment == "fixed" and "rotation" in self.augment_policies and self.augment_p > _SAFE_ROTATION:
            raise InputError(
                f"augment-p (={self.augment_p}) with rotation hides which way is up, so the generator would "
                f"make turned pictures (Karras et al. 2020, section 2.2); use at most {_SAFE_ROTATION}"
            )
        if self.augment in ("fixed", "adaptive") and not self.augment_policies:
            raise InputError(f"augment={self.augment} needs at least one of augment-policies")


def check_game(
    model: GANSettings, critic: CriticSettings, augment: AugmentSettings, batch: int, condition: str
) -> None:
    """Refuse what the papers rule out, with the reason.

    Raises:
        InputError: batch normalisation in a critic whose gradient is penalised, a batch that packing does not divide,
            adaptive augmentation without a sign to follow, a condition that the critic cannot be told.
    """
    if model.constraint in PENALTIES and critic.critic_norm == "batch":
        raise InputError(
            f"critic-norm=batch with constraint={model.constraint}: the penalty is on each picture's own gradient, and "
            "batch normalisation makes a score depend on the whole batch (Gulrajani et al. 2017, section 4); "
            "use critic-norm=none or group"
        )
    if batch % model.packing:
        raise InputError(f"batch (={batch}) must be a multiple of packing (={model.packing})")
    if model.packing > 1 and condition != "none":
        raise InputError(
            f"packing (={model.packing}) judges pictures together, but condition={condition} is each picture's own; "
            "use packing=1 or condition=none"
        )
    if condition == "none" and model.critic_condition != "concatenation":
        raise InputError(f"critic-condition={model.critic_condition} needs a condition; set condition=class, say")
    if augment.augment == "adaptive" and model.loss in ("wasserstein", "relativistic"):
        raise InputError(
            f"augment=adaptive follows the sign of the critic on real pictures, which means nothing for "
            f"loss={model.loss}; use augment=fixed"
        )
