"""The named presets. A recipe is what differs from the defaults, with its source and the result that was measured.

Results are of one short run each, on two cores, seed 0, by `python -m reproductions.recipes --images 12k`; the whole
table, with losses, seconds and samplers, is `reproductions/recipes.md`. They say what to expect, not what is possible.
"""

from __future__ import annotations

from dataclasses import dataclass

from latentry.errors import unknown_name
from latentry.settings.config import Config
from latentry.settings.data import DataSettings
from latentry.settings.models import AutoencoderSettings, SamplerSettings, VAESettings
from latentry.settings.network import NetworkSettings
from latentry.settings.training import TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """One row: what it is, where it comes from, its settings, and what it reached."""

    title: str
    source: str
    config: Config
    result: str


def find_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        InputError: there is none; the nearest names are offered.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]


# Foster, "Generative Deep Learning", 2nd edition, chapter 3: strided 3x3 convolutions down, transposed 3x3 up, Adam at
# a constant rate, no average of weights, samples from the standard normal. Its "BETA" multiplies the *mean* squared or
# cross-entropy error of pixels in [0, 1], where ours multiplies the KL term of a bound in nats per image:
#   fashion: 500 * mean cross-entropy + KL   = (500 / 1024)  * (1024 pixels' cross-entropy + 2.048 KL)
#   faces: 2000 * mean squared error + KL    = (2000 / 24576) * (Gaussian with sigma 1 on [-1, 1] + 12.288 KL)
# Differs from the book in: an activation follows the decoder's first linear layer in the 32 px networks too; the faces
# decoder ends in a mean that is clipped to the range, not in a sigmoid; batch statistics move by PyTorch's 0.1 a step.
_FOSTER_NETWORK = NetworkSettings(
    width=32,
    width_max=128,
    stages=3,
    kernel=3,
    upsampling="transposed",
    last_layer="convolution",
    activation="relu",
)
_FOSTER_FACES_NETWORK = NetworkSettings(
    width=64, width_max=64, stages=5, kernel=3, upsampling="transposed", last_layer="convolution", norm="batch",
    activation="leaky-relu",
)  # fmt: skip


def _foster_training(batch: int, epochs: float, lr: float) -> TrainingSettings:
    return TrainingSettings(batch=batch, epochs=epochs, lr=lr, schedule="constant", warmup=0.0, ema=None)


RECIPES: dict[str, Recipe] = {
    "autoencoder": Recipe(
        title="Autoencoder, sampled through a distribution fitted to its codes",
        source="Hinton and Salakhutdinov 2006; Ghosh et al. 2019 (arXiv:1903.12436) for the sampler",
        config=Config("autoencoder", AutoencoderSettings()),
        result="faces, 64 px RGB, 12,000 images: 64 active units, held-out PSNR 19.7 dB",
    ),
    "denoising-autoencoder": Recipe(
        title="Autoencoder that restores pictures from noise",
        source="Vincent et al. 2008 (ICML)",
        config=Config("denoising-autoencoder", AutoencoderSettings(noise=0.3, masking=0.1)),
        result="faces, 64 px RGB, 12,000 images: 64 active units, held-out PSNR 18.9 dB",
    ),
    "vae": Recipe(
        title="Variational autoencoder",
        source="Kingma and Welling 2013 (arXiv:1312.6114)",
        config=Config("vae", VAESettings()),
        result="faces, 64 px RGB, 12,000 images: KL 226.0 nats, 64 active units, held-out PSNR 19.3 dB",
    ),
    "beta-vae": Recipe(
        title="VAE with a heavier KL term: fewer, more separate factors",
        source="Higgins et al. 2017 (beta-VAE)",
        config=Config("beta-vae", VAESettings(beta=4.0)),
        result="faces, 64 px RGB, 12,000 images: KL 190.2 nats, 64 active units, held-out PSNR 19.4 dB",
    ),
    "sigma-vae": Recipe(
        title="VAE that learns its own pixel noise, so that no KL weight needs choosing",
        source="Rybkin et al. 2021 (arXiv:2006.13202); Dai and Wipf 2019 (arXiv:1903.05789)",
        config=Config("sigma-vae", VAESettings(likelihood="gaussian-learned")),
        result="faces, 64 px RGB, 12,000 images: KL 183.1 nats, 64 active units, held-out PSNR 20.1 dB",
    ),
    "beta-tcvae": Recipe(
        title="VAE with a heavier total-correlation term: independent factors",
        source="Chen et al. 2018 (arXiv:1802.04942)",
        config=Config(
            "beta-tcvae",
            VAESettings(latent=10, objective="total-correlation", beta=6.0),
            training=TrainingSettings(batch=64),
        ),
        result="faces, 64 px RGB, 12,032 images: KL 37.8 nats, 10 active units, held-out PSNR 16.6 dB",
    ),
    "iwae": Recipe(
        title="VAE trained on a tighter bound, with 5 latents a picture",
        source="Burda et al. 2015 (arXiv:1509.00519)",
        config=Config("iwae", VAESettings(objective="importance-weighted", importance_samples=5)),
        result="faces, 64 px RGB, 12,000 images: KL 186.4 nats, 64 active units, held-out PSNR 19.2 dB",
    ),
    "vampprior": Recipe(
        title="VAE whose prior is a mixture of posteriors of learned pseudo-inputs",
        source="Tomczak and Welling 2017 (arXiv:1705.07120)",
        config=Config("vampprior", VAESettings(prior="vamp", pseudo_inputs=100)),
        result="faces, 64 px RGB, 12,000 images: KL 188.9 nats, 64 active units, held-out PSNR 19.3 dB",
    ),
    "foster-autoencoder": Recipe(
        title="Chapter 3's autoencoder: 2 latents, 32 px grey, binary cross-entropy",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/03_vae/01_autoencoder",
        config=Config(
            "foster-autoencoder",
            AutoencoderSettings(latent=2, likelihood="bernoulli"),
            network=_FOSTER_NETWORK,
            data=DataSettings(size="32", channels="grey", fit="pad"),
            training=_foster_training(batch=100, epochs=3, lr=1e-3),
        ),
        result="faces, 32 px grey, 12,000 images: 2 active units, held-out PSNR 19.2 dB",
    ),
    "foster-vae": Recipe(
        title="Chapter 3's VAE: 2 latents, 32 px grey; its weight 500 is beta 2.048",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/03_vae/02_vae_fashion",
        config=Config(
            "foster-vae",
            VAESettings(latent=2, likelihood="bernoulli", beta=1024 / 500),
            network=_FOSTER_NETWORK,
            sampler=SamplerSettings(sampler="prior"),
            data=DataSettings(size="32", channels="grey", fit="pad"),
            training=_foster_training(batch=100, epochs=5, lr=5e-4),
        ),
        result="faces, 32 px grey, 12,000 images: KL 3.7 nats, 2 active units, held-out PSNR 18.9 dB",
    ),
    "foster-vae-faces": Recipe(
        title="Chapter 3's faces VAE: 200 latents, 64 px colour; its weight 2000 is beta 12.288 at sigma 1",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/03_vae/03_vae_faces",
        config=Config(
            "foster-vae-faces",
            VAESettings(latent=200, likelihood="gaussian", sigma=1.0, beta=2 * 64 * 64 * 3 / 2000),
            network=_FOSTER_FACES_NETWORK,
            sampler=SamplerSettings(sampler="prior"),
            data=DataSettings(size="64", channels="rgb"),
            training=_foster_training(batch=128, epochs=10, lr=5e-4),
        ),
        result="faces, 64 px RGB, 12,032 images: KL 10.0 nats, 191 active units, held-out PSNR 13.8 dB",
    ),
}
