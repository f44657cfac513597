"""Frames as an animation: GIF and WebP by Pillow, MP4 by ffmpeg. The same frames give the same bytes."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from latentry.errors import InputError
from latentry.files import write_file
from latentry.report.sheet import as_rgb, enlargement

ANIMATIONS = (".gif", ".webp", ".mp4")
_SLOWEST = 0.01  # frames a second; files count a frame's time in 16 or 32 bits
_SMALLEST_SIDE_PX = 128  # smaller pictures are enlarged by a whole factor
_MP4 = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1", "-crf", "12")


def save_animation(path: Path, frames: np.ndarray, *, fps: float) -> None:
    """Write an animation that repeats for ever (an MP4's repeating is up to its player).

    Args:
        path: ends in .gif (256 colours a frame), .webp (lossless) or .mp4.
        frames: uint8 [T, C, H, W].
        fps: frames a second; a GIF counts time in hundredths of a second.

    Raises:
        InputError: another ending, no such speed, no ffmpeg for MP4, or the file cannot be written.
    """
    if not _SLOWEST <= fps <= 50:
        raise InputError(f"fps (={fps:g}) must be from {_SLOWEST} to 50, which is what a GIF can show")
    ending = path.suffix.lower()
    if ending not in ANIMATIONS:
        raise InputError(
            f"cannot write an animation as {ending or 'a name without ending'!r}; end -o in .gif, .webp or .mp4"
        )
    zoom = enlargement(frames.shape[2], frames.shape[3], _SMALLEST_SIDE_PX)
    shown = np.stack([as_rgb(frame).repeat(zoom, axis=0).repeat(zoom, axis=1) for frame in frames])
    write_file(path, _mp4(shown, fps) if ending == ".mp4" else _by_pillow(shown, ending, fps))


def _by_pillow(frames: np.ndarray, ending: str, fps: float) -> bytes:
    """GIF or WebP of frames [T, H, W, 3]."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    buffer = io.BytesIO()
    if ending == ".gif":
        hundredths = max(2, round(100 / fps))  # browsers slow down what is shorter
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=10 * hundredths, loop=0)
    else:
        first.save(buffer, "WEBP", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, lossless=True)
    return buffer.getvalue()


def _mp4(frames: np.ndarray, fps: float) -> bytes:
    """H.264 of frames [T, H, W, 3]; odd sides lose a row or column, as the format has none."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise InputError(
            "MP4 needs ffmpeg: pip install 'latentry[video]', or end -o in .gif or .webp, which need nothing more"
        ) from None
    frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    size = (frames.shape[2], frames.shape[1])
    handle, name = tempfile.mkstemp(suffix=".mp4")  # ffmpeg writes this format to files alone
    os.close(handle)
    try:
        writer = imageio_ffmpeg.write_frames(name, size, fps=fps, codec="libx264", quality=None, output_params=[*_MP4])
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
        return Path(name).read_bytes()
    finally:
        Path(name).unlink(missing_ok=True)
