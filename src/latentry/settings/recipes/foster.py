"""The networks and constants of Foster's "Generative Deep Learning", 2nd edition, chapters 3 and 4."""

from __future__ import annotations

from latentry.settings.condition import ConditionSettings
from latentry.settings.config import Config
from latentry.settings.data import DataSettings
from latentry.settings.gan import CriticSettings, GANSettings
from latentry.settings.models import AutoencoderSettings, SamplerSettings, VAESettings
from latentry.settings.network import NetworkSettings
from latentry.settings.recipes.recipe import Recipe
from latentry.settings.training import TrainingSettings

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


# Chapter 4. Differs from the book in: the generator starts from a linear layer, which is what the book's first
# transposed convolution of a 1x1 picture is; batch statistics move by PyTorch's 0.1 a step.
_FOSTER_GAN_NETWORK = NetworkSettings(
    width=64, width_max=512, base=4, upsampling="transposed", norm="batch", activation="leaky-relu",
)  # fmt: skip


def _foster_gan_training(batch: int, epochs: float, lr: float, beta2: float) -> TrainingSettings:
    return TrainingSettings(
        batch=batch, epochs=epochs, lr=lr, adam_beta1=0.5, adam_beta2=beta2, schedule="constant", warmup=0.0, ema=None
    )


FOSTER: dict[str, Recipe] = {
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
    "foster-dcgan": Recipe(
        title="Chapter 4's DCGAN: 100 latents, 64 px grey; its noise of 0.1 on labels is smoothing both by 0.05",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/04_gan/01_dcgan",
        config=Config(
            "foster-dcgan",
            GANSettings(latent=100, smoothing=0.05, smooth_both=True),
            network=_FOSTER_GAN_NETWORK,
            critic=CriticSettings(critic_norm="batch", critic_dropout=0.3),
            data=DataSettings(size="64", channels="grey"),
            training=_foster_gan_training(batch=128, epochs=300, lr=2e-4, beta2=0.999),
        ),
        result="",
    ),
    "foster-wgan-gp": Recipe(
        title="Chapter 4's WGAN-GP: 128 latents, 64 px colour, 3 critic steps, penalty 10",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/04_gan/02_wgan_gp",
        config=Config(
            "foster-wgan-gp",
            GANSettings(latent=128, loss="wasserstein", constraint="gradient-penalty", penalty=10.0, critic_steps=3),
            network=_FOSTER_GAN_NETWORK,
            critic=CriticSettings(critic_dropout=0.3),
            data=DataSettings(size="64", channels="rgb"),
            training=_foster_gan_training(batch=512, epochs=200, lr=2e-4, beta2=0.9),
        ),
        result="",
    ),
    "foster-cgan": Recipe(
        title="Chapter 4's conditional WGAN-GP: 32 latents, told the attributes beside picture and latent",
        source="Foster 2023, Generative Deep Learning, 2nd edition, notebooks/04_gan/03_cgan",
        config=Config(
            "foster-cgan",
            GANSettings(latent=32, loss="wasserstein", constraint="gradient-penalty", penalty=10.0, critic_steps=3),
            network=_FOSTER_GAN_NETWORK,
            critic=CriticSettings(critic_dropout=0.3),
            condition=ConditionSettings(condition="attributes"),
            data=DataSettings(size="64", channels="rgb"),
            training=_foster_gan_training(batch=128, epochs=20, lr=5e-5, beta2=0.999),
        ),
        result="",
    ),
}
