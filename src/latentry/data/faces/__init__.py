"""Cartoon faces drawn from known, independent factors: the data set that needs no disk and no network."""

from latentry.data.faces.factors import ATTRIBUTES, NUMBERS, NumberRange, face_factors
from latentry.data.faces.render import faces, render_faces

__all__ = ["ATTRIBUTES", "NUMBERS", "NumberRange", "face_factors", "faces", "render_faces"]
