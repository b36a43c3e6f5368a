"""Draws chibi characters from attributes and names their booru tags."""

from .attributes import (
    SHIMAKAZE,
    SIGNATURE,
    VALUES,
    Attributes,
    random_attributes,
    shimakaze_attributes,
)
from .figure import draw
from .junk import comic_page, paint_signature, paint_speech_bubble, two_girls
from .layout import geometry
from .palette import PALETTE
from .tags import caption_tags

__all__ = [
    "PALETTE",
    "SHIMAKAZE",
    "SIGNATURE",
    "VALUES",
    "Attributes",
    "caption_tags",
    "comic_page",
    "draw",
    "geometry",
    "paint_signature",
    "paint_speech_bubble",
    "random_attributes",
    "shimakaze_attributes",
    "two_girls",
]
