"""Quantisation on clusters whose means, and on codes whose use, are known."""

import math

import pytest
import torch
from torch import Tensor

from latentry.nn.quantiser import Quantiser, nearest_codes, perplexity, straight_through

CENTRES = torch.tensor([[4.0, 0.0], [0.0, 4.0], [-4.0, 0.0], [0.0, -4.0]])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clusters(n: int = 64, seed: int = 0) -> Tensor:
    """Vectors [n, 2, 2, 2]: each picture's four positions lie near the four centres, in order."""
    noise = 0.3 * torch.randn(n, 4, 2, generator=rng(seed))
    return (CENTRES + noise).transpose(1, 2).reshape(n, 2, 2, 2)


def quantiser(codebook: Tensor, *, learned: bool = False) -> Quantiser:
    made = Quantiser(*codebook.shape, learned=learned)
    with torch.no_grad():
        made.codebook.copy_(codebook)
    return made


def test_the_nearest_code_is_that_of_the_definition() -> None:
    z, codebook = torch.randn(200, 3, generator=rng(1)), torch.randn(17, 3, generator=rng(2))
    distances = (z[:, None] - codebook[None]).square().sum(dim=2)
    assert torch.equal(nearest_codes(z, codebook), distances.argmin(dim=1))
    assert nearest_codes(torch.zeros(1, 2), torch.ones(3, 2)).tolist() == [0]  # of equals the first


def test_straight_through_has_the_codes_value_and_passes_the_gradient_on_exactly() -> None:
    made = quantiser(torch.randn(8, 2, generator=rng(1)), learned=True)
    z = clusters(3).requires_grad_()
    _, codes = made(z)
    through = straight_through(z, codes)
    assert torch.equal(through, codes)  # bit for bit, so that what is trained is what is decoded from the prior
    outer = torch.randn(z.shape, generator=rng(2))
    (through.tanh() * outer).sum().backward()
    quantised = codes.detach().requires_grad_()
    (quantised.tanh() * outer).sum().backward()
    assert z.grad is not None
    assert quantised.grad is not None
    assert torch.equal(z.grad, quantised.grad)
    assert made.codebook.grad is None  # the codebook learns by its own term alone


def test_a_grid_is_quantised_position_by_position() -> None:
    made = quantiser(CENTRES)
    tokens, codes = made(clusters(5))
    assert tokens.tolist() == [[[0, 1], [2, 3]]] * 5
    assert torch.equal(codes, CENTRES.T.reshape(1, 2, 2, 2).expand(5, 2, 2, 2))
    assert torch.equal(made.vectors(tokens), codes)


def test_perplexity_is_the_number_of_codes_in_even_use() -> None:
    assert perplexity(torch.full((32,), 7.0)).item() == pytest.approx(32, rel=1e-5)
    assert perplexity(torch.tensor([0.0, 5.0, 0.0])).item() == pytest.approx(1)
    assert perplexity(torch.tensor([3.0, 1.0])).item() == pytest.approx(math.exp(0.5623351), rel=1e-5)
    assert perplexity(torch.zeros(4)).isfinite()


def test_averaged_codes_converge_to_the_means_of_separate_clusters() -> None:
    """k-means: from codes somewhere in each quarter to the clusters' means, which the last batches' average holds."""
    made = quantiser(0.3 * CENTRES + 0.1)
    for step in range(100):
        z = clusters(256, seed=step)
        made.follow(z, made(z)[0], decay=0.9)
    torch.testing.assert_close(made.codebook.detach(), CENTRES, atol=0.02, rtol=0)
    torch.testing.assert_close(made.use, torch.full((4,), 256.0), rtol=1e-3, atol=0)  # vectors a step


def test_the_first_batch_places_a_code_at_the_mean_of_what_it_stands_for() -> None:
    made = quantiser(0.3 * CENTRES)
    z = clusters(16)
    made.follow(z, made(z)[0], decay=0.99)
    torch.testing.assert_close(made.codebook.detach(), z.flatten(2).mean(dim=0).T, atol=1e-4, rtol=0)


def test_a_code_that_is_not_chosen_stays_where_it_is() -> None:
    far = torch.tensor([[0.1, 0.2], [90.0, 90.0]])
    made = quantiser(far)
    for _ in range(1000):  # long enough for a sum and a count to underflow
        z = torch.zeros(2, 2, 1, 1)
        made.follow(z, made(z)[0], decay=0.9)
    assert torch.equal(made.codebook[1].detach(), far[1])
    assert made.codebook.isfinite().all()


def test_codes_with_a_gradient_are_counted_but_not_moved() -> None:
    made = quantiser(0.3 * CENTRES, learned=True)
    z = clusters(16)
    made.follow(z, made(z)[0], decay=0.9)
    assert torch.equal(made.codebook.detach(), 0.3 * CENTRES)
    assert made.usage(16).item() == 1


def test_usage_counts_the_codes_of_the_last_epoch_and_no_older_ones() -> None:
    made = quantiser(CENTRES)
    point = CENTRES[:, :, None, None]  # four pictures of one position, one for each code
    assert made.usage(100).item() == 0
    for first, expected in ((0, 0.25), (1, 0.5), (2, 0.5), (2, 0.25)):  # a window of 4 pictures, 2 a step
        z = point[first : first + 1].expand(2, -1, -1, -1)
        made.follow(z, made(z)[0], decay=0.9)
        assert made.usage(4).item() == expected


def test_dead_codes_are_revived_after_the_patience_and_living_ones_left_alone() -> None:
    made = quantiser(torch.tensor([[4.0, 0.0], [90.0, 90.0]]))
    z = CENTRES[:1, :, None, None].expand(8, -1, -1, -1)  # eight pictures of one position: an even code has 4 a step
    for step in range(1, 4):
        made.follow(z, made(z)[0], decay=0.9)
        made.revive(z, patience=10, rng=rng(step))
        assert made.codebook[1].detach().tolist() == ([90.0, 90.0] if step < 3 else [4.0, 0.0])  # 12 > 10
        assert made.codebook[0].detach().tolist() == [4.0, 0.0]
    assert made.usage(1000).item() == 0.5  # being moved is not being used
    assert perplexity(made.use).item() == pytest.approx(1, abs=1e-3)


def test_codes_start_at_encoder_outputs() -> None:
    z = clusters(8)
    made = Quantiser(50, 2, learned=False)
    made.start(z, rng())
    vectors = {tuple(v) for v in z.movedim(1, -1).reshape(-1, 2).tolist()}
    assert {tuple(code) for code in made.codebook.tolist()} <= vectors
    assert len({tuple(code) for code in made.codebook.tolist()}) > 20
