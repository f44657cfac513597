"""The generative adversarial network and its family.

    Goodfellow et al. 2014, "Generative adversarial nets" (arXiv:1406.2661): `loss=minimax`, `loss=non-saturating`.
    Radford et al. 2015, "Unsupervised representation learning with deep convolutional GANs" (arXiv:1511.06434).
    Mao et al. 2017, "Least squares GANs" (arXiv:1611.04076): `loss=least-squares`.
    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv:1701.07875): `loss=wasserstein constraint=clip`.
    Gulrajani et al. 2017, "Improved training of Wasserstein GANs" (arXiv:1704.00028): `constraint=gradient-penalty`.
    Kodali et al. 2017, "On convergence and stability of GANs" (arXiv:1705.07215): `constraint=dragan`.
    Miyato et al. 2018, "Spectral normalization for GANs" (arXiv:1802.05957): `constraint=spectral`, `loss=hinge`.
    Mescheder et al. 2018, "Which training methods for GANs do actually converge?" (arXiv:1801.04406): R1 and R2.
    Lin et al. 2018, "PacGAN: the power of two samples in GANs" (arXiv:1712.04086): `packing`.
    Huang et al. 2024, "The GAN is dead; long live the GAN!" (arXiv:2501.05441): `loss=relativistic constraint=r1-r2`.

Differs from the papers in: what is sampled is an average of the generator's weights; the pictures of the critic's last
update serve the generator's too, as in DCGAN's code; real and generated pictures go through the critic together where
no batch normalisation forbids it, which is the same function.

Letters: B batch, C H W picture, D latent, K numbers in a condition, m packing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from latentry.losses.adversarial import ADVERSARIAL
from latentry.losses.penalty import clip_weights, dragan_penalty, gradient_penalty, score_and_gradient, zero_centred
from latentry.models.conditions import Conditions, tell
from latentry.models.contract import Batch, Progress
from latentry.models.critic import Judgement, doubt_loss, guess_loss
from latentry.models.noise import NoiseSize
from latentry.models.optimise import (
    along_cosine,
    build_optimiser,
    descend,
    held,
    joined,
    replayed,
    take_turns,
    turns_of,
)
from latentry.models.sampler import Noise, Samplers
from latentry.nn import differentiated_twice, follow_spectra, use_rng
from latentry.nn.augment import AdaptiveProbability, augment
from latentry.ranks import in_parts, normal, uniform
from latentry.settings.config import Config
from latentry.settings.gan import GANSettings
from latentry.settings.specs import ConditionSpec, ImageSpec, LatentSpec

T = TypeVar("T")


class GAN(nn.Module):
    """The generator and its latent space: what is averaged, sampled and kept.

    Args:
        decoder: the generator, latents [B, D] to [B, C, H, W] before its last nonlinearity; called with the condition
            [B, K] as well where there is one.
        image: the size of the pictures.
        settings: the choices that make up the variant.
        condition: what the generator is told.
    """

    encode = None  # a generator alone finds no latent for a picture
    encode_sample = None
    log_prior = None
    tempered = False

    def __init__(
        self, decoder: nn.Module, image: ImageSpec, settings: GANSettings, condition: ConditionSpec | None
    ) -> None:
        super().__init__()
        self.image, self.latent, self.condition = image, LatentSpec((settings.latent,), "normal"), condition
        self.decoder = decoder
        self.bounded = settings.output == "tanh"
        self.conditions = None if condition is None else Conditions(condition)
        self.samplers = Samplers(settings.latent)
        self.noise_size = NoiseSize(uniform=0, normal=settings.latent)

    def prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D], whatever the condition."""
        return self.samplers.draw(n, own=self.own_prior, rng=rng, condition=condition)

    def own_prior(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D], standard normal whatever the condition."""
        return normal((n, *self.latent.shape), rng)

    def from_noise(self, noise: Noise, condition: Tensor | None = None) -> Tensor:
        """Latents [n, D]: the normal numbers themselves, whatever the condition."""
        return noise.normal

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Pictures in [-1, 1], [B, C, H, W], of latents [B, D] under conditions [B, K]."""
        output = tell(self.decoder, z, condition).float().view(z.shape[0], *self.image.shape)
        return torch.tanh(output) if self.bounded else output


class GANMethod:
    """Trains a `GAN` against a critic: each step is some updates of the critic and one of the generator.

    Args:
        model: the generator.
        critic: judges `packing` pictures at once, [B / m, m * C, H, W].
        config: the game and the optimisers' settings.
    """

    def __init__(self, model: GAN, critic: nn.Module, config: Config) -> None:
        game, judge, training = config.model, config.critic, config.training
        assert isinstance(game, GANSettings)
        self.model, self.critic, self.game, self.training = model, critic, game, training
        self.loss = ADVERSARIAL[game.loss]
        self.augmentation, self.adaptive = config.augment, None
        if config.augment.augment == "adaptive":
            self.adaptive = AdaptiveProbability(target=config.augment.augment_target)
        parts: dict[str, nn.Module] = {"generator": model, "critic": critic}
        self.module = nn.ModuleDict(parts if self.adaptive is None else {**parts, "augmentation": self.adaptive})
        critic_group = {
            "params": [weight for weight in critic.parameters() if weight.requires_grad],
            "lr_scale": 1.0 if judge.critic_lr is None else judge.critic_lr / training.lr,
            "schedule": judge.critic_schedule or training.schedule,
        }
        generator_weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimisers = {
            "generator": build_optimiser(generator_weights, training),
            "critic": build_optimiser([critic_group], training),
        }
        self.batches = game.critic_steps
        # Batch statistics must be those of real or of generated pictures, never of both.
        self.together = not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in critic.modules())
        self._last_real: Batch | None = None

    def step(self, batch: Batch, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """Some updates of the critic, each on real pictures of its own, then one of the generator."""
        use_rng(rng)
        terms: dict[str, Tensor] = {}
        parts = batch.split(len(batch.x) // self.batches)
        for part in parts:
            x_fake, to_learn_by = self._made(part, rng, learn=part is parts[-1])
            terms = self._critic_step(part, x_fake, rng, progress)
        self._last_real = part
        return {**terms, **self._generator_step(part, to_learn_by, rng)}

    def _made(self, real: Batch, rng: torch.Generator, *, learn: bool) -> tuple[Tensor, Callable[[slice], Tensor]]:
        """Pictures for the critic, and the same ones, by rows, for the generator, which may learn from the last.

        Where passes take turns those are made anew: one turn's graph is all that memory has to hold.
        """
        make: Callable[[slice], Tensor] = lambda rows: self._generate(real.rows(rows), rng)  # noqa: E731
        if len(turns_of(len(real.x), self.training)) == 1:
            with torch.set_grad_enabled(learn):
                x_fake = make(slice(None))
            return x_fake.detach(), lambda _: x_fake
        again = replayed(make, rng)
        with torch.no_grad():
            return joined(take_turns(make, len(real.x), rng, self.training)), again

    def _generate(self, real: Batch, rng: torch.Generator) -> Tensor:
        """As many pictures [B, C, H, W] under the same conditions."""
        return self.model.decode(self.model.own_prior(len(real.x), rng=rng), real.condition)

    def _critic_step(self, real: Batch, x_fake: Tensor, rng: torch.Generator, progress: Progress) -> dict[str, Tensor]:
        """One update of the critic; the generator has only supplied pictures."""
        game, told = self.game, self.model.condition
        follow_spectra(self.critic)

        def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            condition = None if real.condition is None else real.condition[rows]
            seen_real, seen_fake = self._seen(real.x[rows], rng), self._seen(x_fake[rows], rng)
            judged_real, judged_fake, penalty = self._judge(seen_real, seen_fake, condition, rng)
            score_real, score_fake = judged_real.score, judged_fake.score
            loss = self.loss.critic(score_real, score_fake, *self._targets(score_real, rng))
            right = (score_real > score_fake).float()
            terms = {"score_real": score_real, "score_fake": score_fake, "critic_right": right}
            if penalty is not None:
                terms["penalty"] = penalty
                loss = loss + self._factor(progress) * penalty
            if judged_real.guess is not None and judged_fake.guess is not None:
                terms["guess_real"] = guess_loss(judged_real.guess, condition, told)
                loss = loss + game.auxiliary * terms["guess_real"]
                if game.guess_from == "all":
                    loss = loss + game.auxiliary * guess_loss(judged_fake.guess, condition, told)
                if game.doubt:
                    loss = loss + game.doubt * game.auxiliary * doubt_loss(judged_fake.guess, condition, told)
            return loss, terms

        loss, terms = descend(self.optimisers["critic"], objective, len(real.x), rng, self.training)
        if game.constraint == "clip":
            clip_weights(self.critic, game.clip_weights)
        if self.adaptive is not None:
            self.adaptive.update(terms["score_real"] - (0.5 if game.loss == "least-squares" else 0.0), game.packing)
            terms["augment_p"] = self.adaptive.p
        return {"loss_critic": loss.mean(), **{name: term.mean() for name, term in terms.items()}}

    def _generator_step(self, real: Batch, made: Callable[[slice], Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """One update of the generator, by pictures that it made; the critic only passes the gradient on."""

        def objective(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
            part, x_fake = real.rows(rows), made(rows)
            judged = self.critic(pack(self._seen(x_fake, rng), self.game.packing), part.condition)
            score_real = judged.score
            if self.loss.needs_real_in_generator:
                with torch.no_grad():
                    score_real = self.critic(pack(self._seen(part.x, rng), self.game.packing), part.condition).score
            loss = self.loss.generator(judged.score, score_real)
            terms = {"loss_generator": loss}
            if judged.guess is not None:
                terms["guess_fake"] = guess_loss(judged.guess, part.condition, self.model.condition)
                loss = loss + self.game.auxiliary * terms["guess_fake"]
            return loss, terms

        with held(self.optimisers["critic"]):
            _, terms = descend(self.optimisers["generator"], objective, len(real.x), rng, self.training)
        return {name: term.mean() for name, term in terms.items()}

    def _judge(
        self, x_real: Tensor, x_fake: Tensor, condition: Tensor | None, rng: torch.Generator
    ) -> tuple[Judgement, Judgement, Tensor | None]:
        """What the critic says of both, and the penalty of each pair [B / m] where there is one; no graph is shared."""
        both = pack(torch.cat([x_real, x_fake]), self.game.packing)
        real, fake = both.chunk(2)
        penalty: Tensor | None = None

        def critic(x: Tensor) -> Tensor:
            with differentiated_twice():
                score: Tensor = self.critic(x, condition).score
            return score

        match self.game.constraint:
            case "r1" | "r2" | "r1-r2":
                return self._judge_with_slope(both, condition)
            case "gradient-penalty":
                penalty = _in_float32(lambda: gradient_penalty(critic, real, fake, rng=rng), both)
            case "dragan":
                penalty = _in_float32(lambda: dragan_penalty(critic, real, rng=rng), both)
        if self.together:
            with in_parts(2):
                twice = None if condition is None else torch.cat([condition, condition])
                return (*self.critic(both, twice).halves(), penalty)
        return self.critic(real, condition), self.critic(fake, condition), penalty

    def _judge_with_slope(self, both: Tensor, condition: Tensor | None) -> tuple[Judgement, Judgement, Tensor]:
        """Scores and zero-centred penalties of the same pass: R1 on real pictures, R2 on generated ones, or both."""

        def judged(x: Tensor, told: Tensor | None) -> tuple[Judgement, Tensor]:
            guesses: list[Tensor | None] = []

            def critic(x: Tensor) -> Tensor:
                with differentiated_twice():
                    judgement: Judgement = self.critic(x, told)
                guesses.append(judgement.guess)
                return judgement.score

            score, gradient = _in_float32(lambda: score_and_gradient(critic, x), x)
            return Judgement(score, guesses[0]), zero_centred(gradient)

        if self.together:
            with in_parts(2):
                of_both, slopes = judged(both, None if condition is None else torch.cat([condition, condition]))
            (real, fake), (on_real, on_fake) = of_both.halves(), slopes.chunk(2)
        else:
            (real, on_real), (fake, on_fake) = (judged(x, condition) for x in both.chunk(2))
        return real, fake, {"r1": on_real, "r2": on_fake, "r1-r2": on_real + on_fake}[self.game.constraint]

    def _seen(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """What the critic sees of pictures [B, C, H, W]: augmented, where the settings say so."""
        match self.augmentation.augment:
            case "fixed":
                return augment(x, self.augmentation.augment_policies, self.augmentation.augment_p, rng)
            case "adaptive":
                assert self.adaptive is not None
                return augment(x, self.augmentation.augment_policies, self.adaptive.p, rng)
            case _:
                return x

    def _targets(self, score: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Labels of real and of generated pictures, [B / m] each, smoothed and flipped as the settings say."""
        game = self.game
        target_real = torch.full_like(score, 1 - game.smoothing)
        target_fake = torch.full_like(score, game.smoothing if game.smooth_both else 0.0)
        if game.label_noise:
            flip_real, flip_fake = uniform((2, len(score)), rng, rows=1) < game.label_noise
            swapped = torch.where(flip_real, target_fake, target_real), torch.where(flip_fake, target_real, target_fake)
            return swapped
        return target_real, target_fake

    def _factor(self, progress: Progress) -> Progress:
        """What the penalty is multiplied by."""
        end = self.game.penalty if self.game.penalty_end is None else self.game.penalty_end
        return along_cosine(self.game.penalty, end, progress)

    @torch.no_grad()
    def score(self, model: nn.Module, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """The critic's scores of held-out, of generated, and of the last step's real pictures; it does not learn."""
        assert isinstance(model, GAN)
        x_fake = model.decode(model.own_prior(len(batch.x), rng=rng), batch.condition)
        trained = self._last_real or batch
        self.critic.eval()
        m = self.game.packing
        scores = {
            name: self.critic(pack(part.x[: len(part.x) // m * m], m), part.condition).score
            for name, part in {
                "score_real": batch,
                "score_fake": Batch(x_fake, batch.condition),
                "score_trained": trained,
            }.items()
        }
        self.critic.train()
        return scores


def pack(x: Tensor, m: int) -> Tensor:
    """Pictures [B, C, H, W], m after m on top of each other: [B / m, m * C, H, W]."""
    return x if m == 1 else x.reshape(len(x) // m, m * x.shape[1], *x.shape[2:])


def _in_float32(compute: Callable[[], T], like: Tensor) -> T:
    """The result of `compute`, outside any mixed precision: penalties are differences of nearly equal numbers."""
    with torch.autocast(like.device.type, enabled=False):
        return compute()
