"""What the network tells apart: one head for each attribute that can be read off a picture."""

from __future__ import annotations

from drawing.attributes import SIGNATURE, VALUES, Attributes

UNKNOWN = "unknown"  # eyes that are closed or cannot be told
HIDDEN = "hidden"  # legs outside the picture

FIELDS = (
    "hair_color",
    "hair_style",
    "eye_color",
    "ears",
    "clothes",
    "headwear",
    "legwear",
    "prop",
    "background",
)
HEADS: dict[str, tuple[str, ...]] = {
    field: VALUES[field] + {"eye_color": (UNKNOWN,), "legwear": (HIDDEN,)}.get(field, ()) for field in FIELDS
}
SIGNATURE_FIELDS = tuple(SIGNATURE)


def visible(attributes: Attributes, field: str) -> bool:
    """Whether a drawing of ``attributes`` shows ``field`` at all."""
    if field == "eye_color":
        return attributes.expression != "closed eyes"
    if field == "legwear":
        return attributes.framing != "upper body"
    return True


def truth(attributes: Attributes, field: str) -> str:
    """The value a perfect reader gives: one of ``HEADS[field]``."""
    if not visible(attributes, field):
        return UNKNOWN if field == "eye_color" else HIDDEN
    return getattr(attributes, field)


def target(attributes: Attributes) -> list[int]:
    """The index of the truth in every head, in the order of ``FIELDS``."""
    return [HEADS[field].index(truth(attributes, field)) for field in FIELDS]
