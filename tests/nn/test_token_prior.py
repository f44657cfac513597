"""The prior over tokens: causal, exact at what can be known, and the same sampled as it is trained."""

import math

import pytest
import torch
from torch import Tensor

from latentry.models.vqvae import token_nll
from latentry.nn import Layer, initialise, use_rng
from latentry.nn.token_prior import TokenPrior
from latentry.settings.specs import ConditionSpec

CODEBOOK = torch.randn(7, 3, generator=torch.Generator().manual_seed(7))
CLASSES = ConditionSpec("class", ("left", "right"))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def prior(
    codes: int = 7, positions: int = 9, *, random: bool = True, condition: ConditionSpec | None = None
) -> TokenPrior:
    made = TokenPrior(codes, 3, positions, width=32, blocks=2, heads=4, condition=condition)
    initialise(made, rng(1))
    if random:  # step off the zero start, at which everything is even
        with torch.no_grad():
            for layer in made.modules():
                if isinstance(layer, Layer):
                    layer.weight.add_(0.2 * torch.randn(layer.weight.shape, generator=rng(2)))
    use_rng(rng(3))
    return made


def fitted(made: TokenPrior, tokens: Tensor, condition: Tensor | None = None, steps: int = 80) -> TokenPrior:
    optimiser = torch.optim.Adam(made.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        token_nll(made(tokens, CODEBOOK, condition), tokens).mean().backward()
        optimiser.step()
    return made.eval()


def test_the_logits_of_a_position_do_not_depend_on_its_token_or_later_ones() -> None:
    made = prior()
    tokens = torch.randint(7, (1, 9), generator=rng())
    # The gradient to the vector that stands for each token is the gradient to the token.
    vectors = torch.randn(1, 9, 32, generator=rng(), requires_grad=True)
    made.code.forward = lambda x: vectors  # type: ignore[method-assign]
    logits = made(tokens, CODEBOOK)
    for position in range(9):
        gradient = torch.autograd.grad(logits[0, position].square().sum(), vectors, retain_graph=True)[0][0]
        size = gradient.abs().sum(dim=1)  # of input j, which is token j - 1
        assert torch.equal(size[position + 1 :], torch.zeros(8 - position))
        assert (size[: position + 1] > 0).all()


def test_changing_later_tokens_leaves_earlier_logits_bit_for_bit() -> None:
    made = prior()
    tokens = torch.randint(7, (2, 9), generator=rng())
    changed = tokens.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % 7
    assert torch.equal(made(tokens, CODEBOOK)[:, :5], made(changed, CODEBOOK)[:, :5])
    assert not torch.equal(made(tokens, CODEBOOK)[:, 5:], made(changed, CODEBOOK)[:, 5:])


def test_an_untrained_prior_is_uniform() -> None:
    tokens = torch.randint(7, (3, 9), generator=rng())
    nll = token_nll(prior(random=False)(tokens, CODEBOOK), tokens)
    torch.testing.assert_close(nll, torch.full((3,), 9 * math.log(7)))


def test_on_uniform_tokens_the_loss_tends_to_log_k() -> None:
    """Nothing can be learnt: fresh tokens at every step leave ln K nats a position."""
    made = prior(codes=5, positions=4)
    codebook = CODEBOOK[:5]
    optimiser = torch.optim.Adam(made.parameters(), lr=1e-3)
    for step in range(60):
        tokens = torch.randint(5, (256, 4), generator=rng(step))
        optimiser.zero_grad()
        token_nll(made(tokens, codebook), tokens).mean().backward()
        optimiser.step()
    fresh = torch.randint(5, (1000, 4), generator=rng(999))
    assert token_nll(made(fresh, codebook), fresh).mean().item() / 4 == pytest.approx(math.log(5), abs=0.02)


def test_a_prior_of_one_pattern_reproduces_it() -> None:
    pattern = torch.tensor([[3, 1, 4, 1, 5, 2, 6, 5, 3]])
    made = fitted(prior(), pattern)
    assert token_nll(made(pattern, CODEBOOK), pattern).item() < 0.1
    drawn = made.sample(torch.rand(20, 9, generator=rng()) * 0.98 + 0.01, CODEBOOK)
    assert torch.equal(drawn, pattern.expand(20, 9))


def test_a_condition_chooses_the_pattern() -> None:
    patterns = torch.tensor([[3, 1, 4, 1, 5, 2, 6, 5, 3], [2, 2, 0, 0, 6, 6, 1, 1, 4]])
    told = torch.eye(2)
    made = fitted(prior(condition=CLASSES), patterns, told)
    assert torch.equal(made.sample(torch.full((2, 9), 0.5), CODEBOOK, told), patterns)
    assert torch.equal(made.sample(torch.full((2, 9), 0.5), CODEBOOK, told.flip(0)), patterns.flip(0))


def test_samples_follow_the_distribution_that_the_logits_state() -> None:
    """Drawn pairs of tokens are as frequent as p(first) p(second | first)."""
    made = prior(codes=3, positions=2).eval()
    with torch.no_grad():
        pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3))
        expected = (-token_nll(made(pairs, CODEBOOK[:3]), pairs)).exp()
    n = 20_000
    drawn = made.sample(torch.rand(n, 2, generator=rng()), CODEBOOK[:3])
    seen = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / n
    assert expected.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(seen, expected, atol=4 * 0.5 / n**0.5, rtol=0)


def test_temperature_zero_takes_the_likeliest_and_a_low_one_nearly() -> None:
    made = prior().eval()
    noise = torch.rand(6, 9, generator=rng())
    greedy = made.sample(noise, CODEBOOK, temperature=0)
    assert torch.equal(greedy, greedy[:1].expand(6, 9))
    assert torch.equal(made(greedy, CODEBOOK).argmax(dim=2), greedy)
    assert torch.equal(made.sample(noise, CODEBOOK, temperature=1e-4), greedy)
    assert not torch.equal(made.sample(noise, CODEBOOK), greedy)


def test_a_row_is_drawn_by_its_own_noise_alone() -> None:
    made = prior().eval()
    noise = torch.rand(6, 9, generator=rng())
    drawn = made.sample(noise, CODEBOOK)
    assert torch.equal(made.sample(noise[[4, 0, 4]], CODEBOOK), drawn[[4, 0, 4]])


def test_noise_at_the_ends_of_its_range_draws_codes_that_exist() -> None:
    made = prior().eval()
    ends = torch.tensor([0.0, 1 - 2**-24])[:, None].expand(2, 9)
    drawn = made.sample(ends, CODEBOOK)
    assert drawn.min() >= 0
    assert drawn.max() < 7


def test_a_codebook_in_other_units_is_the_same_to_the_prior() -> None:
    """An autoencoder sets the scale and origin of its codes as it likes, and may change them while the prior learns."""
    made = prior().eval()
    tokens = torch.randint(7, (2, 9), generator=rng())
    torch.testing.assert_close(made(tokens, 40 * CODEBOOK - 3), made(tokens, CODEBOOK), rtol=1e-3, atol=1e-4)
