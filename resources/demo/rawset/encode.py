"""Picture files in bytes, the same every time: no dates, no comments, no program names inside."""

from __future__ import annotations

import io

from PIL import Image

MADE_WITH = "13.0.0"  # the Pillow that wrote the committed files; another one may compress differently
JPEG_QUALITY = 90
WEBP_QUALITY = 88


def encode(image: Image.Image, suffix: str, quality: int | None = None) -> bytes:
    """The file of an image; `suffix` is png, jpg or webp, `quality` 1…100 replaces the usual one.

    Raises:
        ValueError: another suffix.
    """
    buffer = io.BytesIO()
    if suffix == "png":
        image.save(buffer, "PNG", optimize=True)
    elif suffix == "jpg":
        image.save(buffer, "JPEG", quality=quality or JPEG_QUALITY, optimize=True)
    elif suffix == "webp":
        image.save(buffer, "WEBP", quality=quality or WEBP_QUALITY, method=6)
    else:
        raise ValueError(f"suffix must be png, jpg or webp, got {suffix!r}")
    return buffer.getvalue()


def encode_animation(frames: list[Image.Image], duration: int) -> bytes:
    """A looping GIF; `duration` of a frame in milliseconds."""
    buffer = io.BytesIO()
    flat = [frame.quantize(48, dither=Image.Dither.NONE) for frame in frames]
    flat[0].save(buffer, "GIF", save_all=True, append_images=flat[1:], duration=duration, loop=0)
    return buffer.getvalue()
