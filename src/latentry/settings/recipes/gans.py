"""Generative adversarial networks.

Differs from the papers in: an average of the generator's weights is sampled, in place of a falling learning rate; the
Wasserstein rows have larger rates, and three updates of the critic for one of the generator in place of five (two where
the critic guesses a condition).

In a short run it is updates of the generator that are missing. Frechet distance in a smile probe's features (see
below) of `wgan-gp` after 150,000 real faces of 32 px, one run each: 5.2 with five critic steps at a rate of 4e-4, 4.4
at 1e-3, 3.2 with three steps, 3.1 with two. `sngan`: 7.2 with batches of 64, 6.7 of 32. `wgan` wants smaller rates:
4.9 after 100,000 images and 5.8 after 500,000 at 5e-4; 4.6 and 3.6 after 200,000 and 500,000 at 2e-4; after 200,000
4.7 at 1e-4, 4.8 along a cosine from 5e-4. Other limits do not help it (after 100,000: clipped at 0.05 5.4; at 0.03
without batch normalisation 23.6).

All rows but r3gan's have DCGAN's first weights and a constant rate. From weights that keep the variance from layer to
layer, three times as large here, the generator learns too slowly beside its critic; and while a rate falls, too little
is learned in a short run. Frechet distance in a smile probe's features after 100,000 real faces of 32 px, in percent of
the reals' variance: 27 from such weights, 15 from DCGAN's, 10 with a constant rate as well. A critic under spectral
normalisation is the exception (60 from DCGAN's weights, 39 from the others). The width of 32 is for a laptop, where 64
reached 15 in as much time; a graphics card has room for `--width 128`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from latentry.settings.condition import ConditionSettings
from latentry.settings.config import Config
from latentry.settings.data import DataSettings
from latentry.settings.gan import CriticSettings, GANSettings
from latentry.settings.network import NetworkSettings
from latentry.settings.recipes.recipe import Recipe
from latentry.settings.training import TrainingSettings

_AT_32 = DataSettings(size="32")

# Radford et al. 2015: no pooling, batch normalisation, ReLU up and leaky ReLU down, down to 4x4 pixels.
_DCGAN = NetworkSettings(width=32, base=4, norm="batch", activation="relu", init_std=0.02)
_BATCH_CRITIC = CriticSettings(critic_norm="batch")
_PLAIN_CRITIC = CriticSettings(critic_norm="none")


def _adam(lr: float, beta1: float, beta2: float, batch: int = 64) -> TrainingSettings:
    return TrainingSettings(batch=batch, lr=lr, adam_beta1=beta1, adam_beta2=beta2, schedule="constant")


def _r3gan(
    name: str,
    *,
    size: int,
    width: int,
    width_max: int,
    blocks: int,
    batch: int,
    lr: float,
    penalty: tuple[float, float],
    dense: bool = False,
) -> Config:
    """Relativistic pairing with R1 and R2, whose gamma falls along a cosine while Adam's memory grows.

    Where `dense`, one group and no wider middle: on a processor that learns more in the same time. So do few channels
    and small batches: Frechet distance after 19 minutes of one core that other work shared 6.57 with width 16, batches
    of 64 and a rate of 1e-3, 5.57 with width 8, batches of 32 and 2e-3 (one run each). After 60,000 images it was 7.9
    with a penalty from 0.2 to 0.02, 10.8 from 1 to 0.1, 11.3 from 0.05 to 0.005; 7.7 with width 16, a third slower.
    """
    grouping: dict[str, Any] = {"group_width": 1024, "expansion": 1.0} if dense else {}
    return Config(
        name,
        GANSettings(latent=64, loss="relativistic", constraint="r1-r2", penalty=penalty[0], penalty_end=penalty[1]),
        network=NetworkSettings(
            backbone="modern",
            width=width,
            width_max=width_max,
            blocks=blocks,
            base=4,
            activation="leaky-relu",
            **grouping,
        ),
        data=DataSettings(size=str(size)),
        training=TrainingSettings(
            batch=batch, lr=lr, lr_end=0.25, adam_beta1=0.0, adam_beta2=0.9, adam_beta2_end=0.99, ema="50k"
        ),
    )


GANS: dict[str, Recipe] = {
    "gan": Recipe(
        title="Generative adversarial network, fully connected",
        source="Goodfellow et al. 2014 (arXiv:1406.2661)",
        config=Config(
            "gan",
            GANSettings(latent=100),
            network=NetworkSettings(
                backbone="mlp", hidden=(1024, 512, 256), norm="batch", activation="leaky-relu", init_std=0.02
            ),
            critic=CriticSettings(critic_hidden=(512, 256)),
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="real faces, 32 px grey, 2,000,000 images: Frechet distance 20.3 in probe features (reals 0.41); "
        "fully connected networks leave noise in photographs",
    ),
    "dcgan": Recipe(
        title="Deep convolutional GAN",
        source="Radford et al. 2015 (arXiv:1511.06434)",
        config=Config(
            "dcgan",
            GANSettings(),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="real faces, 32 px grey, 400,000 images: Frechet distance 1.21 in probe features (reals 0.41)",
    ),
    "lsgan": Recipe(
        title="Least-squares GAN",
        source="Mao et al. 2017 (arXiv:1611.04076)",
        config=Config(
            "lsgan",
            GANSettings(loss="least-squares"),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="real faces, 32 px grey, 400,000 images: Frechet distance 1.52 in probe features (reals 0.41)",
    ),
    "wgan": Recipe(
        title="Wasserstein GAN with weight clipping",
        source="Arjovsky et al. 2017 (arXiv:1701.07875), Algorithm 1, with three critic steps in place of five",
        config=Config(
            "wgan",
            GANSettings(loss="wasserstein", constraint="clip", clip_weights=0.01, critic_steps=3),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            data=_AT_32,
            training=TrainingSettings(batch=32, optimiser="rmsprop", lr=2e-4, adam_beta2=0.99, schedule="constant"),
        ),
        result="real faces, 32 px grey, 500,000 images: Frechet distance 3.57 in probe features (reals 0.41)",
    ),
    "wgan-gp": Recipe(
        title="Wasserstein GAN with gradient penalty",
        source="Gulrajani et al. 2017 (arXiv:1704.00028), Algorithm 1, with three critic steps in place of five",
        config=Config(
            "wgan-gp",
            GANSettings(loss="wasserstein", constraint="gradient-penalty", penalty=10.0, critic_steps=3),
            network=_DCGAN,
            critic=_PLAIN_CRITIC,
            data=_AT_32,
            training=_adam(1e-3, 0.0, 0.9, batch=32),
        ),
        result="real faces, 32 px grey, 500,000 images: Frechet distance 1.78 in probe features (reals 0.41)",
    ),
    "sngan": Recipe(
        title="GAN whose critic's layers are spectrally normalised",
        source="Miyato et al. 2018 (arXiv:1802.05957)",
        config=Config(
            "sngan",
            GANSettings(loss="hinge", constraint="spectral"),
            network=dataclasses.replace(_DCGAN, init_std=None),
            critic=CriticSettings(critic_norm="none", critic_lr=1e-3),  # at 2e-4 it is too weak: distance 39 against 25
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999, batch=32),
        ),
        result="real faces, 32 px grey, 400,000 images: Frechet distance 3.19 in probe features (reals 0.41)",
    ),
    "r3gan": Recipe(
        title="A modern baseline: relativistic pairs, R1 and R2 on every step, no normalisation; for a laptop at 32 px",
        source="Huang et al. 2024 (arXiv:2501.05441)",
        config=_r3gan(
            "r3gan", size=32, width=8, width_max=64, blocks=1, batch=32, lr=2e-3, penalty=(0.2, 0.02), dense=True
        ),
        result="real faces, 32 px grey, 150,000 images: Frechet distance 5.57 in probe features (reals 0.40)",
    ),
    "r3gan-64": Recipe(
        title="The same for 64 px and one graphics card",
        source="Huang et al. 2024 (arXiv:2501.05441)",
        config=_r3gan("r3gan-64", size=64, width=64, width_max=512, blocks=2, batch=128, lr=2e-4, penalty=(2.0, 0.2)),
        result="two cores make 4 images a second; not trained, for want of a graphics card",
    ),
    "r3gan-128": Recipe(
        title="The same for 128 px and one graphics card",
        source="Huang et al. 2024 (arXiv:2501.05441)",
        config=_r3gan("r3gan-128", size=128, width=64, width_max=512, blocks=2, batch=64, lr=2e-4, penalty=(16.0, 1.6)),
        result="two cores make 0.6 images a second; not trained, for want of a graphics card",
    ),
    "pacgan": Recipe(
        title="DCGAN whose critic judges two pictures at once, so that it sees missing variety",
        source="Lin et al. 2018 (arXiv:1712.04086)",
        config=Config(
            "pacgan",
            GANSettings(packing=2),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="real faces, 32 px grey, 400,000 images: Frechet distance 1.43 in probe features (reals 0.41)",
    ),
    "cgan": Recipe(
        title="Conditional GAN: generator and critic are told the class",
        source="Mirza and Osindero 2014 (arXiv:1411.1784), with DCGAN's networks",
        config=Config(
            "cgan",
            GANSettings(),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            condition=ConditionSettings(condition="class"),
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="MNIST, 32 px, 400,000 images: 98.5 % of 5,000 digits are the one asked for (probe: 99.4 %)",
    ),
    "cwgan-gp": Recipe(
        title="Conditional WGAN-GP: told yes/no attributes, or a class or numbers with --condition",
        source="Gulrajani et al. 2017 (arXiv:1704.00028); told by projection, Miyato and Koyama 2018 "
        "(arXiv:1802.05637), and a guess, Odena et al. 2017 (arXiv:1610.09585), that doubts generated pictures, after "
        "Hou et al. 2022 (arXiv:2107.10060)",
        config=Config(
            "cwgan-gp",
            GANSettings(
                loss="wasserstein",
                constraint="gradient-penalty",
                penalty=10.0,
                critic_steps=2,
                critic_condition="projection-auxiliary",
                guess_from="real",
                doubt=0.3,
            ),
            network=dataclasses.replace(_DCGAN, last_layer="convolution"),
            critic=_PLAIN_CRITIC,
            condition=ConditionSettings(condition="attributes"),
            data=_AT_32,
            training=_adam(8e-4, 0.0, 0.9, batch=32),
        ),
        result="faces, 32 px, 700,000 images: 99.7 % of attributes as asked (earrings 98.8 %, winking 99.1 %, the "
        "others 99.5 % or more; probe: 100 %)",
    ),
    "acgan": Recipe(
        title="GAN whose critic guesses the class instead of being told it",
        source="Odena et al. 2017 (arXiv:1610.09585)",
        config=Config(
            "acgan",
            GANSettings(critic_condition="auxiliary"),
            network=_DCGAN,
            critic=_BATCH_CRITIC,
            condition=ConditionSettings(condition="class"),
            data=_AT_32,
            training=_adam(2e-4, 0.5, 0.999),
        ),
        result="MNIST, 32 px, 200,000 images: 91.2 % of 2,000 digits are the one asked for (probe: 99.4 %)",
    ),
}
