"""Whether mirror images may stand in for pictures: not where a simple classifier tells the two apart.

Mirroring doubles a small set for nothing, unless its pictures have a right way round: digits, letters, clock faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latentry.data.duplicates import _area_mean

_SIDE = 16  # of the grey thumbnails that are classified, pixels
_MOST = 2000  # pictures looked at
_LEAST = 100  # below this the standard error of the accuracy is over 0.05, and 0.6 is no evidence
_FOLDS = 4
_NEIGHBOURS = 5
_TELLING = 0.6  # the accuracy from which pictures are held to have a right way round

Thumbnails = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MirrorVerdict:
    """Whether pictures may be mirrored, and the evidence.

    Attributes:
        allowed: the accuracy is below 0.6, on at least 100 pictures.
        accuracy: share of held-out pictures that are told from their mirror images; chance is 0.5.
        n: pictures that were held out in turn.
    """

    allowed: bool
    accuracy: float
    n: int

    @property
    def standard_error(self) -> float:
        """Of the accuracy at chance, sqrt(0.25 / n); at 100 pictures 0.6 is two of these above chance."""
        return float(np.sqrt(0.25 / max(self.n, 1)))


def mirror_allowed(images: np.ndarray, seed: int) -> MirrorVerdict:
    """Ask two classifiers which way round pictures are, each judging pictures that it was not trained on.

    Logistic regression and a vote of the nearest neighbours, on grey 16 x 16 thumbnails, in four-fold
    cross-validation; training pictures appear as themselves and mirrored. The better accuracy decides: below 0.6,
    measured on at least 100 pictures, mirroring is allowed. Where nothing can be told apart, 100 pictures are wrongly
    refused about one time in ten, 200 one in thirty, 300 hardly ever.

    Args:
        images: uint8 [N, C, H, W]; at most 2,000 of them are looked at.
        seed: of the choice of pictures and folds.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(images))[:_MOST]
    thumbnails = _thumbnails(images, rows)
    folds = np.arange(len(rows)) % _FOLDS
    evidence = np.zeros((2, len(rows)), np.float32)  # above 0: judged to be the right way round
    for fold in range(_FOLDS if len(rows) >= _FOLDS else 0):
        known, asked = thumbnails[folds != fold], thumbnails[folds == fold]
        evidence[0, folds == fold] = _by_regression(known, asked)
        evidence[1, folds == fold] = _by_neighbours(known, asked)
    # A picture that is its own mirror image gives no evidence, and is guessed: half right.
    right = (1 + np.sign(evidence)) / 2
    accuracy = float(right.mean(axis=1).max()) if len(rows) else 0.5
    return MirrorVerdict(allowed=len(rows) >= _LEAST and accuracy < _TELLING, accuracy=accuracy, n=len(rows))


def _thumbnails(images: np.ndarray, rows: np.ndarray) -> Thumbnails:
    """Grey, from 0 to 1, [M, 16, 16], each moved sideways by at most an eighteenth to where it is most symmetric.

    A face detector that aims a pixel to the left makes every picture of a set differ from its mirror image, though
    nothing shown has a right way round (smiles-64: 0.66 of the faces are told apart as they are, 0.55 when moved).
    Alpha counts as a colour, since a shape may lie in alpha alone.
    """
    _, _, height, width = images.shape
    wide = _SIDE + 2
    down, across = _area_mean(_SIDE, height), _area_mean(2 * wide, width)  # in halves of a thumbnail's pixel
    grey = [images[row].mean(axis=0, dtype=np.float32) / 255 for row in rows]
    whole = down @ np.stack(grey) @ across.T if grey else np.zeros((0, _SIDE, 2 * wide), np.float32)
    views = np.stack([whole[:, :, at : at + 2 * _SIDE] for at in range(5)])
    views = views.reshape(5, len(rows), _SIDE, _SIDE, 2).mean(axis=4)
    straightest = ((views - views[..., ::-1]) ** 2).sum(axis=(2, 3)).argmin(axis=0)
    return views[straightest, np.arange(len(rows))]


def _by_regression(known: Thumbnails, asked: Thumbnails) -> npt.NDArray[np.float32]:
    """The log-odds that each asked picture is the right way round.

    What tells a picture from its mirror image changes sign with mirroring, so only the odd part x - mirror(x) is
    looked at, without an intercept: the judgement of a mirror image is then exactly the opposite.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import

    half = _SIDE // 2
    known, asked = ((x - x[:, :, ::-1])[:, :, :half].reshape(len(x), -1) for x in (known, asked))
    scale = float(np.sqrt((known**2).mean())) or 1.0
    regression = LogisticRegression(C=0.01, fit_intercept=False, max_iter=200)
    regression.fit(np.concatenate([known, -known]) / scale, np.repeat([1, 0], len(known)))
    return regression.decision_function(asked / scale)


def _by_neighbours(known: Thumbnails, asked: Thumbnails) -> npt.NDArray[np.float32]:
    """How many more of the five nearest known pictures are themselves than mirrored."""
    both = np.concatenate([known, known[:, :, ::-1]]).reshape(2 * len(known), -1)
    asked = asked.reshape(len(asked), -1)
    distance = (both**2).sum(axis=1) - 2 * asked @ both.T
    nearest = np.argpartition(distance, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    return np.where(nearest < len(known), 1, -1).sum(axis=1)
