"""A WGAN-GP critic's step in plain PyTorch on 32 px RGB, batch 64; prints milliseconds a step and images a second.

W7's networks: the generator with batch norm, the discriminator (64-128-256 channels) without it. One step: latents, the
generator's pictures without a graph, scores of real and of generated pictures in two passes, the penalty between them
by `torch.autograd.grad(create_graph=True)`, one backward pass, Adam (not fused). Pictures are in memory as floats.

usage: PEER_PYTHON pytorch_wgan_gp_step.py STEPS
"""

import itertools
import json
import statistics
import sys
import time

import torch
from torch import nn

BATCH, LATENT = 64, 100


def dcgan_generator() -> nn.Sequential:
    """100 latents to 256 channels of 4 px, transposed convolutions to 128 and 64 channels and 3 x 32 x 32 pixels."""
    layers: list[nn.Module] = [nn.Unflatten(1, (LATENT, 1, 1)), nn.ConvTranspose2d(LATENT, 256, 4, bias=False)]
    layers += [nn.BatchNorm2d(256), nn.LeakyReLU(0.2)]
    for inputs, outputs in itertools.pairwise((256, 128, 64)):
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, padding=1), nn.Tanh())


def dcgan_critic() -> nn.Sequential:
    """3 x 32 x 32 pixels to 64-128-256 channels of 4 px by strided 4x4 convolutions, then a score, [B]."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((3, 64, 128, 256)):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(256, 1, 4), nn.Flatten(0))


def penalty(critic: nn.Module, x_real: torch.Tensor, x_fake: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of the critic's slope from one, between the two."""
    weight = torch.rand(len(x_real), 1, 1, 1)
    x = (weight * x_real + (1 - weight) * x_fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()


def main() -> None:
    """Take STEPS steps and report the median, the first five left out."""
    steps = int(sys.argv[1])
    generator, critic = dcgan_generator(), dcgan_critic()
    optimiser = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    pictures = 2 * torch.rand(10 * BATCH, 3, 32, 32) - 1
    seconds = []
    for _ in range(5 + steps):
        start = time.perf_counter()
        x_real = pictures[torch.randint(len(pictures), (BATCH,))]
        optimiser.zero_grad()
        with torch.no_grad():
            x_fake = generator(torch.randn(BATCH, LATENT))
        loss = critic(x_fake).mean() - critic(x_real).mean() + 10 * penalty(critic, x_real, x_fake)
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[5:])
    print(json.dumps({"images_per_sec": BATCH / median, "ms_per_step": 1000 * median}))


main()
