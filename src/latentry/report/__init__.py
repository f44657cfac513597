"""Grids, the terminal, trackers: what people look at."""
