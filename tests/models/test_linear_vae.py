"""A linear VAE is probabilistic PCA (Lucas et al. 2019): closed forms for what the ordinary trainer must reach.

Tests 4 and 5 of the list of known answers: the bound at the optimum, and how many units stay active at each beta.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import latentry
from latentry.models.vae import VAE

D_PIXELS, LATENT, N = 20, 5, 5000
SPECTRUM = np.array([0.06, 0.04, 0.025, 0.015, 0.008] + [0.002] * 15)  # variances on the scale of [-1, 1]


@pytest.fixture(scope="module")
def pictures():
    """Gaussian pictures of 4 x 5 pixels with a known spectrum, as uint8; rounding becomes part of their covariance."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(D_PIXELS, D_PIXELS)))[0]
    x = rng.normal(size=(N, D_PIXELS)) * np.sqrt(SPECTRUM) @ basis.T
    return np.clip(np.round((x + 1) * 127.5), 0, 255).astype(np.uint8).reshape(N, 1, 4, 5)


def eigenvalues(pictures):
    x = pictures.reshape(N, D_PIXELS) / 127.5 - 1
    return np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[::-1]


class Scale(nn.Module):
    """Multiplies by a fixed number, so that the weights beside it are near one and Adam gets there soon."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def networks() -> dict[str, Any]:
    """A linear encoder and a linear decoder."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), Scale(5.0), nn.Linear(D_PIXELS, 2 * LATENT))
    return {"encoder": encoder, "decoder": nn.Sequential(nn.Linear(LATENT, D_PIXELS), Scale(0.2))}


def exact_bound(model: VAE, pictures) -> float:
    """The mean evidence lower bound in nats, with the expectation over q(z | x) in closed form."""
    x = torch.from_numpy(pictures.reshape(N, D_PIXELS) / 127.5 - 1)
    decoder = model.decoder.double()
    with torch.no_grad():
        weight = decoder(torch.eye(LATENT).double()) - decoder(torch.zeros(1, LATENT).double())  # [D, pixels]
        mu, logvar = (p.double() for p in model.posterior(torch.from_numpy(pictures).float() / 127.5 - 1))
        sigma2 = (2 * model.likelihood.log_sigma.double()).exp()
        squares = (x - decoder(mu)).square().sum(1) + (logvar.exp() * weight.square().sum(1)).sum(1)
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
        log_likelihood = -0.5 * D_PIXELS * torch.log(2 * math.pi * sigma2) - squares / (2 * sigma2)
        return float((log_likelihood - kl).mean())


def test_the_ordinary_trainer_reaches_probabilistic_pca(pictures, tmp_path):
    values = eigenvalues(pictures)
    sigma2 = values[LATENT:].mean()
    optimum = -0.5 * (
        D_PIXELS * math.log(2 * math.pi)
        + np.log(values[:LATENT]).sum()
        + (D_PIXELS - LATENT) * math.log(sigma2)
        + D_PIXELS
    )
    own = networks()
    settings: dict[str, Any] = {
        "latent": LATENT,
        "epochs": 150,
        "batch": 100,
        "lr": 2e-2,
        "ticks": 2,
        "holdout": 0.0,
        "ema": "50k",
    }
    run = latentry.train(
        "sigma-vae", pictures, out=tmp_path, second_stage_steps=0, mixture_components=1, **settings, **own
    )
    model = latentry.load(run.path, **own).network
    assert isinstance(model, VAE)
    reached = exact_bound(model, pictures)
    assert reached <= optimum + 1e-6  # nothing beats the maximum likelihood
    assert reached == pytest.approx(optimum, abs=0.01)
    assert float(2 * model.likelihood.log_sigma) == pytest.approx(math.log(sigma2), abs=0.02)


@pytest.mark.parametrize(("beta", "active"), [(1.0, 5), (4.0, 3)])
def test_active_units_are_the_eigenvalues_above_beta_sigma_squared(pictures, tmp_path, beta, active):
    sigma2 = 0.005
    assert sum(eigenvalues(pictures) > beta * sigma2) == active  # the eigenvalues of this sample, not of its law
    run = latentry.train(
        "vae",
        pictures,
        out=tmp_path,
        sigma=math.sqrt(sigma2),
        beta=beta,
        latent=LATENT,
        epochs=60,
        batch=100,
        lr=1e-2,
        ticks=2,
        holdout=0.1,
        sampler="prior",
        **networks(),
    )
    assert run.log[-1]["held_out"]["active_units"] == active
