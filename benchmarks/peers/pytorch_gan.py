"""PyTorch-GAN's fully connected and DCGAN scripts in a plain loop; prints images a second, the last line JSON.

PyTorch-GAN (github.com/eriklindernoren/PyTorch-GAN) is scripts only, so this is written anew from what they do, with
the same networks and the same habits:

* pictures one by one, by a `DataLoader` without workers (the scripts never read their --n_cpu): each is made a PIL
  image, resized where the size differs, made a float tensor and normalised. These are the steps of torchvision's MNIST
  data set and transforms, written out, for torchvision does not import beside the CPU build of torch;
* the critic's weights take gradients in the generator's step too; `.item()` and a print at each of the generator's;
* W4, W5, W6 update the generator first, then the critic on the same generated pictures, detached;
* W2 leaves the generator's graph in the critic's step, and its backward pass runs through it; W3 detaches;
* W2 and W3 update the generator at every fifth batch, from the latents that the critic's step has just used;
* Adam 2e-4 (0.5, 0.999), one for each network, neither fused; W3 RMSprop 5e-5, and weights clipped to 0.01.

Left out, in the peer's favour: the PNG that it writes every 400 batches, and torchvision's checks of its arguments.
The scripts' batch norms have eps 0.8, for it stands where they meant the momentum; so here.

usage: PEER_PYTHON pytorch_gan.py {W2,W3,W4,W5,W6} N_IMAGES EPOCHS [MNIST_FOLDER]
W2 wgan_gp.py, W3 wgan.py, W4 gan.py, W5 cgan.py at 28 px, W6 dcgan.py at 32 px. N_IMAGES, a multiple of 320, counts the
real pictures of one epoch; they are the first of MNIST, or noise where no folder with train-*-ubyte.gz is given.
"""

import gzip
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

BATCH, LATENT, CLASSES, CRITIC_STEPS, EPS = 64, 100, 10, 5, 0.8


class Pictures(Dataset):
    """MNIST's pictures and labels, decoded anew whenever they are asked for.

    Args:
        n: how many.
        size_px: height and width that they are resized to.
        folder: of the IDX files; None for noise.
    """

    def __init__(self, n: int, size_px: int, folder: Path | None) -> None:
        self.size_px = size_px
        if folder is None:
            rng = np.random.default_rng(0)
            pictures, labels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, CLASSES, n)
        else:
            pictures = read_idx(folder / "train-images-idx3-ubyte.gz", offset=16).reshape(-1, 28, 28)[:n]
            labels = read_idx(folder / "train-labels-idx1-ubyte.gz", offset=8)[:n]
        self.pictures, self.labels = torch.from_numpy(pictures.copy()), torch.from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """One picture in [-1, 1], [1, size, size], and its label."""
        picture = Image.fromarray(self.pictures[index].numpy())
        if picture.size != (self.size_px, self.size_px):
            picture = picture.resize((self.size_px, self.size_px), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture, copy=True)).view(self.size_px, self.size_px, 1)
        x = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        mean, std = torch.as_tensor([0.5]).view(-1, 1, 1), torch.as_tensor([0.5]).view(-1, 1, 1)
        return x.clone().sub_(mean).div_(std), int(self.labels[index])


def read_idx(path: Path, offset: int) -> np.ndarray:
    """The bytes of an IDX file behind its header."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


class MLPGenerator(nn.Module):
    """100 latents to 128-256-512-1024 units and 28 x 28 pixels; batch norm but on the first, leaky ReLU, tanh.

    Where it is told the label, an embedding of 10 numbers stands before the latents.
    """

    def __init__(self, told: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(CLASSES, CLASSES) if told else None
        layers: list[nn.Module] = [nn.Linear(LATENT + CLASSES * told, 128), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in itertools.pairwise((128, 256, 512, 1024)):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs, EPS), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(1024, 28 * 28), nn.Tanh())

    def forward(self, z, label=None):
        """[B, 100] and perhaps labels [B] to [B, 1, 28, 28]."""
        z = z if self.embed is None else torch.cat([self.embed(label), z], dim=1)
        return self.layers(z).view(-1, 1, 28, 28)


class MLPCritic(nn.Module):
    """28 x 28 pixels to 512-256 units and a score, leaky ReLU; `sigmoid` makes it a probability."""

    def __init__(self, sigmoid: bool = False) -> None:
        super().__init__()
        hidden = (nn.Linear(28 * 28, 512), nn.LeakyReLU(0.2, True), nn.Linear(512, 256), nn.LeakyReLU(0.2, True))
        self.layers = nn.Sequential(*hidden, nn.Linear(256, 1), nn.Sigmoid() if sigmoid else nn.Identity())

    def forward(self, x):
        """[B, 1, 28, 28] to [B, 1]."""
        return self.layers(x.view(len(x), -1))


class ConditionalMLPCritic(nn.Module):
    """28 x 28 pixels and the label's embedding to 512-512-512 units and a score; dropout 0.4 in the last two."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(CLASSES, CLASSES)
        hidden = [nn.Linear(28 * 28 + CLASSES, 512), nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(2):
            hidden += [nn.Linear(512, 512), nn.Dropout(0.4), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*hidden, nn.Linear(512, 1))

    def forward(self, x, label):
        """[B, 1, 28, 28] and labels [B] to [B, 1]."""
        return self.layers(torch.cat([x.view(len(x), -1), self.embed(label)], dim=1))


class ConvGenerator(nn.Module):
    """100 latents to 128 channels of 8 px; twice nearest doubling and a 3x3 convolution (128, 64); 3x3, tanh: 32 px."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 128 * 8 * 8)
        layers: list[nn.Module] = [nn.BatchNorm2d(128)]
        for inputs, outputs in ((128, 128), (128, 64)):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, padding=1)]
            layers += [nn.BatchNorm2d(outputs, EPS), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(64, 1, 3, 1, padding=1), nn.Tanh())
        self.apply(start_small)

    def forward(self, z):
        """[B, 100] to [B, 1, 32, 32]."""
        return self.layers(self.first(z).view(-1, 128, 8, 8))


class ConvCritic(nn.Module):
    """32 px to 2 px by four 3x3 convolutions of stride 2 (16-32-64-128), leaky ReLU, dropout, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((1, 16, 32, 64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            if inputs > 1:
                layers.append(nn.BatchNorm2d(outputs, EPS))
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 2 * 2, 1), nn.Sigmoid())
        self.apply(start_small)

    def forward(self, x):
        """[B, 1, 32, 32] to [B, 1]."""
        return self.layers(x)


def start_small(layer: nn.Module) -> None:
    """DCGAN's first weights."""
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


class Game:
    """Two networks, their optimisers, and a source of noise."""

    def __init__(self, generator: nn.Module, critic: nn.Module, told: bool = False) -> None:
        self.generator, self.critic, self.told = generator, critic, told
        self.rng = np.random.default_rng(0)
        self.of_generator, self.of_critic = self.optimiser(generator), self.optimiser(critic)

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam as the scripts have it."""
        return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def latents(self, n: int) -> torch.Tensor:
        """[n, 100], drawn by numpy in float64 and then made float32, as the scripts draw them."""
        return torch.from_numpy(self.rng.normal(0, 1, (n, LATENT))).float()


class LabelGame(Game):
    """gan.py, cgan.py and dcgan.py: one update of the generator, then one of the critic."""

    def __init__(self, generator: nn.Module, critic: nn.Module, criterion: nn.Module, told: bool = False) -> None:
        super().__init__(generator, critic, told)
        self.criterion = criterion

    def step(self, i: int, x_real: torch.Tensor, label: torch.Tensor) -> None:
        """One batch of real pictures."""
        n = len(x_real)
        valid, fake = torch.ones(n, 1), torch.zeros(n, 1)
        wanted = (torch.from_numpy(self.rng.integers(0, CLASSES, n)),) if self.told else ()
        self.of_generator.zero_grad()
        x_fake = self.generator(self.latents(n), *wanted)
        loss_generator = self.criterion(self.critic(x_fake, *wanted), valid)
        loss_generator.backward()
        self.of_generator.step()

        self.of_critic.zero_grad()
        loss_real = self.criterion(self.critic(x_real, *((label,) if self.told else ())), valid)
        loss_fake = self.criterion(self.critic(x_fake.detach(), *wanted), fake)
        loss_critic = (loss_real + loss_fake) / 2
        loss_critic.backward()
        self.of_critic.step()
        print(f"[batch {i}] [critic {loss_critic.item():f}] [generator {loss_generator.item():f}]")


class ClippedGame(Game):
    """wgan.py: weights of the critic within 0.01, one update of the generator at every fifth batch."""

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """RMSprop as in the paper."""
        return torch.optim.RMSprop(network.parameters(), lr=5e-5)

    def step(self, i: int, x_real: torch.Tensor, label: torch.Tensor) -> None:
        """One batch of real pictures."""
        self.of_critic.zero_grad()
        z = self.latents(len(x_real))
        x_fake = self.generator(z).detach()
        loss_critic = -self.critic(x_real).mean() + self.critic(x_fake).mean()
        loss_critic.backward()
        self.of_critic.step()
        for weight in self.critic.parameters():
            weight.data.clamp_(-0.01, 0.01)
        if i % CRITIC_STEPS == 0:
            self.of_generator.zero_grad()
            loss_generator = -self.critic(self.generator(z)).mean()
            loss_generator.backward()
            self.of_generator.step()
            print(f"[batch {i}] [critic {loss_critic.item():f}] [generator {loss_generator.item():f}]")


class PenaltyGame(Game):
    """wgan_gp.py: gradient penalty times 10, one update of the generator at every fifth batch."""

    def step(self, i: int, x_real: torch.Tensor, label: torch.Tensor) -> None:
        """One batch of real pictures."""
        self.of_critic.zero_grad()
        z = self.latents(len(x_real))
        x_fake = self.generator(z)
        score_real, score_fake = self.critic(x_real), self.critic(x_fake)
        penalty = self.penalty(x_real.data, x_fake.data)
        loss_critic = -score_real.mean() + score_fake.mean() + 10 * penalty
        loss_critic.backward()
        self.of_critic.step()
        self.of_generator.zero_grad()
        if i % CRITIC_STEPS == 0:
            loss_generator = -self.critic(self.generator(z)).mean()
            loss_generator.backward()
            self.of_generator.step()
            print(f"[batch {i}] [critic {loss_critic.item():f}] [generator {loss_generator.item():f}]")

    def penalty(self, x_real: torch.Tensor, x_fake: torch.Tensor) -> torch.Tensor:
        """Mean squared distance of the critic's slope from one, between the two."""
        weight = torch.from_numpy(self.rng.random((len(x_real), 1, 1, 1))).float()
        x = (weight * x_real + (1 - weight) * x_fake).requires_grad_()
        score = self.critic(x)
        (gradient,) = torch.autograd.grad(score, x, torch.ones_like(score), create_graph=True, retain_graph=True)
        return ((gradient.view(len(x), -1).norm(2, dim=1) - 1) ** 2).mean()


GAMES: dict[str, Callable[[], LabelGame | ClippedGame | PenaltyGame]] = {
    "W2": lambda: PenaltyGame(MLPGenerator(), MLPCritic()),
    "W3": lambda: ClippedGame(MLPGenerator(), MLPCritic()),
    "W4": lambda: LabelGame(MLPGenerator(), MLPCritic(sigmoid=True), nn.BCELoss()),
    "W5": lambda: LabelGame(MLPGenerator(told=True), ConditionalMLPCritic(), nn.MSELoss(), told=True),
    "W6": lambda: LabelGame(ConvGenerator(), ConvCritic(), nn.BCELoss()),
}


def main() -> None:
    """Train and report the median epoch, the first left out."""
    work, n, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    folder = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    if n % (BATCH * CRITIC_STEPS):
        sys.exit(f"N_IMAGES (={n}) must be a multiple of {BATCH * CRITIC_STEPS}, so that every epoch is the same work")
    game = GAMES[work]()
    pictures = Pictures(n, 32 if work == "W6" else 28, folder)
    loader = DataLoader(pictures, BATCH, shuffle=True, generator=torch.Generator().manual_seed(0))
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for i, (x, label) in enumerate(loader):
            game.step(i, x, label)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"images_per_sec": n / statistics.median(seconds[1:])}))


main()
