"""Autoencoders and variational autoencoders."""

from __future__ import annotations

from latentry.settings.condition import ConditionSettings
from latentry.settings.config import Config
from latentry.settings.models import AutoencoderSettings, VAESettings
from latentry.settings.recipes.recipe import Recipe
from latentry.settings.training import TrainingSettings

AUTOENCODERS: dict[str, Recipe] = {
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
    "cvae": Recipe(
        title="Conditional VAE: told the class, it keeps what the class does not say in the latent",
        source="Sohn et al. 2015 (NeurIPS); Kingma et al. 2014 (arXiv:1406.5298), model M2's decoder",
        config=Config("cvae", VAESettings(latent=32), condition=ConditionSettings(condition="class")),
        result="MNIST, 32 px, 600,000 images: 97.1 % of 5,000 digits are the one asked for (probe: 99.4 %)",
    ),
}
