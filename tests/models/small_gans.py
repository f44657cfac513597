"""Small adversarial trainers for the tests, with every number in them from a seed."""

from typing import Any

import torch
from torch import Tensor, nn

from latentry.models.build import build_method, build_model, initialise_model
from latentry.models.contract import Batch
from latentry.models.critic import Critic
from latentry.models.gan import GAN, GANMethod
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.settings.specs import ConditionSpec, ImageSpec

IMAGE = ImageSpec(3, 8, 8)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(recipe: str, **settings: Any) -> Config:
    """The recipe's game with a small network; rates and first weights do not follow the recipe, which may change."""
    fixed = {"width": 4, "base": 4, "latent": 3, "batch": 8, "lr": 1e-3, "schedule": "constant", "init_std": None}
    return find_recipe(recipe).config.with_settings(**{**fixed, **settings})


def method_of(config: Config, condition: ConditionSpec | None = None) -> GANMethod:
    """A trainer with its first weights."""
    model = build_model(config, IMAGE, condition)
    assert isinstance(model, GAN)
    told = None if condition is None else torch.eye(condition.size)
    initialise_model(model, Batch(pictures(4), told), rng(1), std=config.network.init_std)
    method = build_method(config, model, 100, rng(2))
    assert isinstance(method, GANMethod)
    return method


def critic_of(method: GANMethod) -> Critic:
    """The critic, which is no network of the caller's own."""
    assert isinstance(method.critic, Critic)
    return method.critic


def pictures(n: int, seed: int = 5) -> Tensor:
    return 2 * torch.rand(n, *IMAGE.shape, generator=rng(seed)) - 1


def weights(module: nn.Module) -> Tensor:
    """A copy of them all in a row."""
    return torch.cat([weight.detach().flatten().clone() for weight in module.parameters()])


def made(method: GANMethod, told: Tensor | None = None) -> Tensor:
    """Eight pictures that the generator has made, and can learn from."""
    return method._generate(Batch(pictures(8), told), rng(6))
