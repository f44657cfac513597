"""pythae 0.1.2's VAE with its BaseTrainer on random 28 x 28 pictures; prints images a second, one JSON line.

usage: PEER_PYTHON pythae_vae.py {mlp,conv} N_IMAGES EPOCHS
"""

import json
import logging
import sys
import tempfile
import time

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

logging.disable(logging.WARNING)


class Timer(TrainingCallback):
    """Notes when epochs begin and end."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_epoch_begin(self, training_config, **kwargs) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, training_config, **kwargs) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._start)


def main() -> None:
    """Train and report the median epoch, the first left out."""
    kind, n, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    x = torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=16)
    networks = (
        {"encoder": Encoder_Conv_VAE_MNIST(config), "decoder": Decoder_Conv_AE_MNIST(config)} if kind == "conv" else {}
    )
    timer = Timer()
    with tempfile.TemporaryDirectory() as folder:
        training = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=64,
            no_cuda=True,
        )
        trainer = BaseTrainer(
            model=VAE(config, **networks),
            train_dataset=BaseDataset(x, torch.zeros(n)),
            training_config=training,
            callbacks=[timer],
        )
        trainer.train()
    seconds = sorted(timer.seconds[1:])
    print(json.dumps({"images_per_sec": n / seconds[len(seconds) // 2]}))


main()
