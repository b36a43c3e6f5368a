"""What the pixels of a decoded picture mean: colour profiles, transparency, depths beyond 8 bits."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms


def has_odd_profile(image: Image.Image) -> bool:
    """Whether the colours are meant in another space than sRGB."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "1" or image.mode.startswith(("I", "F")):
        return False
    # the description lies in the first kilobytes, as ASCII or UTF-16
    start = profile[:4096].replace(b"\0", b"").lower()
    return not any(name in start for name in (b"srgb", b"sgray", b"gray gamma 2.2", b"grey gamma 2.2"))


def is_transparent(image: Image.Image) -> bool:
    """Whether the picture has an alpha channel or a colour that stands for nothing."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def to_srgb(image: Image.Image) -> Image.Image:
    """Colours as an embedded profile means them; a profile that cannot be read is passed over."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        whole = image.convert("RGBA" if is_transparent(image) else "RGB") if image.mode in ("P", "PA") else image
        bare = whole.convert({"RGBA": "RGB", "LA": "L"}.get(whole.mode, whole.mode))
        turned = ImageCms.profileToProfile(bare, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if whole.mode in ("RGBA", "LA"):
        turned.putalpha(whole.getchannel("A"))
    elif "transparency" in image.info and image.mode != "CMYK":
        # one colour of the picture stands for nothing
        turned.putalpha(image.convert("RGBA").getchannel("A"))
    return turned


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8 bits, with its transparent value as alpha; Pillow's own conversion would clip at 255."""
    values = np.asarray(image).astype(np.float64)
    grey = Image.fromarray(np.clip(np.rint(values / 257), 0, 255).astype(np.uint8))
    nothing = image.info.get("transparency")
    if isinstance(nothing, int):
        grey.putalpha(Image.fromarray(np.where(values == nothing, 0, 255).astype(np.uint8)))
    return grey
