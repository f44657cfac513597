"""A few steps of every family, by one process or one of several: `python -m tests.training.families OUT [FAMILY]`."""

import sys
import traceback
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from latentry.api.assemble import prepare, settle
from latentry.api.opening import open_config_images
from latentry.files import write_json
from latentry.models.own import OwnNetworks
from latentry.ranks import Ranks
from latentry.settings.config import Config
from latentry.settings.recipes import find_recipe
from latentry.training.checkpoint import module_tensors, optimiser_tensors
from latentry.training.ranks import joined

STEPS = 3
SMALL: dict[str, Any] = {
    "data": "digits", "width": 4, "latent": 3, "batch": 16, "ema": "100", "device": "cpu", "images": "10k",
}  # fmt: skip
ADVERSARIAL: dict[str, Any] = {"augment": "none", "base": 4}

# Each row is one family, with what its step reads beyond its own pictures turned on.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "autoencoder, noise, masking, dropout": (
        "autoencoder", {"noise": 0.3, "masking": 0.2, "dropout": 0.3, "clip": 0.5},
    ),
    "vae, batch norm, flips": ("vae", {"norm": "batch", "flip": "yes"}),
    "free bits": ("vae", {"free_bits": 0.02}),
    "total correlation": ("beta-tcvae", {}),
    "total correlation, stratified": ("beta-tcvae", {"tc_estimator": "mss"}),
    "importance weighted": ("iwae", {"dropout": 0.2}),
    "binarised": ("vae", {"likelihood": "bernoulli", "binarise": True}),
    "vampprior, batch norm, dropout": ("vampprior", {"norm": "batch", "dropout": 0.2, "pseudo_inputs": 6}),
    "conditional vae": ("cvae", {}),
    "vq-vae, revival": (
        "vq-vae", {"codes": 16, "revival": 0.5, "prior_width": 8, "prior_blocks": 1, "prior_heads": 2, "latent": 4},
    ),
    "vq-vae, learned codes": (
        "vq-vae", {"codebook": "gradient", "codes": 16, "prior_width": 8, "prior_blocks": 1, "prior_heads": 2},
    ),
    "dcgan, batch norm in both": ("dcgan", {**ADVERSARIAL, "norm": "batch", "critic_norm": "batch"}),
    # Without momentum Adam's step is the gradient's sign, which rounding decides where the gradient is next to nothing.
    "wgan-gp, five critic steps": ("wgan-gp", {**ADVERSARIAL, "critic_steps": 5, "adam_beta1": 0.5}),
    "wgan, clipped": ("wgan", ADVERSARIAL),
    "dragan, label noise": (
        "dcgan",
        {**ADVERSARIAL, "constraint": "dragan", "critic_norm": "none", "label_noise": 0.2, "smoothing": 0.1},
    ),
    # Its loss does not depend on the score's bias: Adam would turn the rounding of that gradient into whole steps.
    "r3gan": ("r3gan", {**ADVERSARIAL, "group_width": 4, "critic_dropout": 0.2, "optimiser": "sgd"}),
    "pacgan": ("pacgan", {**ADVERSARIAL, "critic_dropout": 0.2, "packing": 2}),
    "sngan": ("sngan", ADVERSARIAL),
    "cgan, projection": ("cgan", {**ADVERSARIAL, "critic_condition": "projection"}),
    "cgan, fully connected, dropout": (
        "cgan",
        {"augment": "none", "backbone": "mlp", "hidden": (16, 8), "norm": "batch", "critic_hidden": (16, 8),
         "critic_norm": "none", "critic_dropout": 0.3},
    ),
    "acgan, doubt": (
        "acgan", {**ADVERSARIAL, "critic_condition": "projection-auxiliary", "guess_from": "real", "doubt": 0.3},
    ),
    "adaptive augmentation, critic dropout": (
        "dcgan", {"base": 4, "augment": "adaptive", "critic_norm": "none", "critic_dropout": 0.3, "flip": "yes"},
    ),
    "vae in passes": ("vae", {"micro_batch": 4, "dropout": 0.3, "flip": "yes"}),
    "wgan-gp in passes": ("wgan-gp", {**ADVERSARIAL, "critic_steps": 2, "norm": "none", "micro_batch": 4}),
}  # fmt: skip


def config_of(family: str) -> Config:
    recipe, settings = FAMILIES[family]
    return find_recipe(recipe).config.with_settings(**{**SMALL, **settings})


def few_steps(family: str, out: Path, ranks: Ranks) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that a checkpoint would hold after a few steps, and the means of the terms."""
    config = config_of(family)
    images = open_config_images(config)
    loop = prepare(settle(config, images), images, OwnNetworks(), out, [], ranks)
    if loop.method.module.state_dict().get("augmentation.p") is not None:
        loop.method.module.state_dict()["augmentation.p"].fill_(0.4)  # from 0 it would take an epoch to matter
    for step in range(STEPS):
        loop._step(progress=0.1 + 0.2 * step)
    tensors = {
        **module_tensors("model", loop.method.module),
        **module_tensors("ema", loop.ema.module),
        **optimiser_tensors(loop.method.optimisers),
    }
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}, loop._sums.take()


def main(out: Path, families: list[str]) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        for family in families:
            try:
                tensors, terms = few_steps(family, out / "runs", ranks)
            except Exception:
                traceback.print_exc()  # the other rank has the same, or waits for nothing: the group is left
                raise
            safetensors.torch.save_file(tensors, out / f"{family}-{ranks.rank}.safetensors")
            write_json(out / f"{family}-{ranks.rank}.json", terms)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(FAMILIES))
