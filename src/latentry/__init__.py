"""Image generators with a latent space: train on any folder of pictures, sample, edit, measure, ship."""

from latentry._version import __version__

__all__ = ["__version__"]
