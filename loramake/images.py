"""Reading pictures safely: upright, in sRGB, never larger than memory allows; and fitting them into a bucket."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, features

from loramake.buckets import Placement
from loramake.colours import has_odd_profile, is_transparent, to_eight_bits, to_srgb
from loramake.errors import UserError

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".avif"})
# Pillow may be built without these, and fails when asked for a format it does not know
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", *(name for name in ("WEBP", "AVIF") if features.check(name.lower())))
# Pillow's own warning limit: a quarter of a gigabyte in RGB; no picture of a booru comes near it
MAX_PIXELS = 89_478_485
_OPAQUE_FROM = 250  # an alpha of 250…255 is what soft edges and careless exports leave; nobody sees it
# EXIF orientation → what sets the picture upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset(_TURNS[number] for number in (5, 6, 7, 8))


class PictureError(UserError):
    """A file that is no usable picture; `what` is the reason in a few words."""


@dataclass(frozen=True)
class Header:
    """What a picture file says about itself before it is decoded.

    Attributes:
        format: Pillow's name: PNG, JPEG, WEBP, BMP, GIF, AVIF.
        size: upright (width, height), pixels.
        animated: more than one frame.
        may_be_transparent: has an alpha channel or a transparent palette entry.
        plain: already upright and in 8-bit sRGB (or grey): its bytes can be used as they are.
    """

    format: str
    size: tuple[int, int]
    animated: bool
    may_be_transparent: bool
    plain: bool


def describe_content(start: bytes) -> str:
    """In a few words, what a file that is no picture seems to hold, from its first bytes."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "an empty file"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    mp4 = start[4:8] == b"ftyp" and start[8:12] not in (b"avif", b"avis", b"heic", b"mif1")
    if mp4 or start.startswith(b"\x1a\x45\xdf\xa3") or start[8:12] == b"AVI ":
        return "a video"
    if start.startswith((b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        return "an archive"
    if text.startswith((b"{", b"[", b"<?xml", b"<svg")):
        return "a text file"
    return "damaged or not a picture"


def _refuse(path: Path, error: Exception) -> PictureError:
    """The PictureError that says why `path` cannot be read."""
    if isinstance(error, PictureError):
        return error
    if isinstance(error, FileNotFoundError):
        return PictureError("the file is gone", file=path)
    if isinstance(error, PermissionError):
        return PictureError("no permission to read it", file=path)
    if isinstance(error, Image.DecompressionBombError):
        return PictureError(f"more than {MAX_PIXELS // 1_000_000} megapixels", file=path)
    if isinstance(error, Image.UnidentifiedImageError):
        with open(path, "rb") as handle:
            return PictureError(describe_content(handle.read(512)), file=path)
    if "truncated" in str(error).lower():
        return PictureError("truncated: the download broke off", file=path)
    return PictureError(f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}", file=path)


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is checked below, and odd metadata does not matter
        image = Image.open(path, formats=_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        limit = f"the limit is {MAX_PIXELS // 1_000_000}"
        raise PictureError(f"{width}x{height}, {width * height // 1_000_000} megapixels; {limit}", file=path)
    return image


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How to set the picture upright, by its EXIF orientation; damaged EXIF data does not make a picture useless."""
    try:
        # Pillow decodes a whole PNG to see whether anything stands behind the pixels
        plain = image.format == "PNG" and not _metadata_behind(image)
        exif = Image.Image.getexif(image) if plain else image.getexif()
        return _TURNS.get(exif.get(0x0112))
    except Exception:
        return None


def _metadata_behind(image: Image.Image) -> bool:
    """Whether a PNG holds EXIF data or text behind its pixels, seen from the headers of its chunks."""
    seen_pixels = False
    with open(image.filename, "rb") as handle:
        handle.seek(8)
        while len(head := handle.read(8)) == 8:
            kind = head[4:]
            if kind == b"IEND":
                return False
            seen_pixels = seen_pixels or kind == b"IDAT"
            if seen_pixels and kind in (b"eXIf", b"zTXt", b"iTXt", b"tEXt"):
                return True
            handle.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def read_header(path: Path) -> Header:
    """What the file says about its picture, without decoding it.

    Raises:
        PictureError: no picture, not readable, or more than MAX_PIXELS pixels.
    """
    try:
        with _open(path) as image:
            turn = _turn(image)
            width, height = image.size
            # what phones and cameras write: a JPEG with a second picture behind it, no animation
            mpo = image.format == "MPO"
            return Header(
                format="JPEG" if mpo else str(image.format),
                size=(height, width) if turn in _SIDEWAYS else (width, height),
                animated=not mpo and bool(getattr(image, "is_animated", False)),
                may_be_transparent=is_transparent(image),
                plain=turn is None
                and image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
                and not has_odd_profile(image),
            )
    # a decoder fed with damaged data may raise anything
    except Exception as error:
        raise _refuse(path, error) from error


def check_sums(path: Path) -> None:
    """Check the checksums that a PNG holds, without decoding it: damage of single bytes often decodes to a picture.

    Raises:
        PictureError: one is wrong, or the file cannot be read.
    """
    try:
        with _open(path) as image:
            if image.format == "PNG":
                image.verify()
    except Exception as error:
        raise _refuse(path, error) from error


def load(path: Path, at_least: int | None = None) -> Image.Image:
    """Decode a picture: upright, 8-bit sRGB, mode RGB, or RGBA where it may be transparent. First frame only.

    Args:
        path: the file.
        at_least: both sides need no more than this many pixels; a JPEG is then decoded at 1/2, 1/4 or 1/8, which is
            several times faster and still reads the whole file.

    Raises:
        PictureError: as `read_header`, or damaged inside.
    """
    try:
        with _open(path) as image:
            transparent, profiled = is_transparent(image), has_odd_profile(image)
            if at_least:
                image.draft(None, (at_least, at_least))
            image.load()
            turn = _turn(image)
            upright = image if turn is None else image.transpose(turn)
            if upright.mode.startswith(("I", "F")):
                upright = to_eight_bits(upright)
            if profiled:
                upright = to_srgb(upright)
            result = upright.convert("RGBA" if transparent else "RGB")
            result.info.clear()  # no profile, comment or EXIF of the source ends up in what is written
            return result
    except Exception as error:
        raise _refuse(path, error) from error


def visible_alpha(image: Image.Image) -> float:
    """Share of pixels one can see through (alpha under 250), 0…1; 0 for a picture without alpha."""
    if image.mode != "RGBA":
        return 0.0
    counts = image.getchannel("A").histogram()
    return sum(counts[:_OPAQUE_FROM]) / sum(counts)


def flatten(image: Image.Image) -> Image.Image:
    """The picture on white, mode RGB."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white


def load_rgb(path: Path) -> np.ndarray:
    """A picture as uint8 array (height, width, 3), upright, sRGB, on white.

    Raises:
        PictureError: see `load`.
    """
    return np.asarray(flatten(load(path)))


def resize_to_bucket(rgb: np.ndarray, placement: Placement, *, enlarge: str = "lanczos") -> np.ndarray:
    """Scale a picture and cut the bucket's window out of it.

    Shrinking averages areas (OpenCV's INTER_AREA), as kohya sd-scripts does.

    Args:
        rgb: uint8 array (height, width, 3).
        placement: from `buckets.assign` for this picture's size.
        enlarge: "lanczos" (kohya's newest version: Pillow's Lanczos unless both sides shrink) or
            "area" (0.4.5 to 0.8.7: INTER_AREA always).

    Returns:
        uint8 array (bucket height, bucket width, 3), contiguous.
    """
    if enlarge not in ("lanczos", "area"):
        raise ValueError(f"enlarge must be 'lanczos' or 'area', got {enlarge!r}")
    height, width = rgb.shape[:2]
    if (width, height) != placement.resized:
        shrinks = width > placement.resized[0] and height > placement.resized[1]
        if shrinks or enlarge == "area":
            rgb = cv2.resize(rgb, placement.resized, interpolation=cv2.INTER_AREA)
        else:
            rgb = np.asarray(Image.fromarray(rgb).resize(placement.resized, Image.Resampling.LANCZOS))
    left, top = placement.crop_offset
    bucket_width, bucket_height = placement.bucket
    return np.ascontiguousarray(rgb[top : top + bucket_height, left : left + bucket_width])
