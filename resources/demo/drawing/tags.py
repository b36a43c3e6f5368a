"""The booru tags of a drawing."""

from __future__ import annotations

from .attributes import Attributes

EARS = {
    "none": [],
    "cat ears": ["animal ears", "cat ears"],
    "fox ears": ["animal ears", "fox ears"],
    "rabbit ears": ["animal ears", "rabbit ears"],
    "two-tone rabbit ears": ["animal ears", "rabbit ears", "two-tone ears"],
}
LEGWEAR = {
    "bare legs": ["bare legs"],
    "white thighhighs": ["white thighhighs", "thighhighs"],
    "black thighhighs": ["black thighhighs", "thighhighs"],
    "socks": ["socks"],
    "striped legwear": ["striped thighhighs", "thighhighs"],
}
HEADWEAR = {
    "none": [],
    "hairband": ["hairband"],
    "hair bow": ["hair bow"],
    "hair flower": ["hair flower"],
    "star hair ornament": ["star hair ornament", "hair ornament"],
    "anchor hair ornament": ["anchor hair ornament", "hair ornament"],
}
EXPRESSION = {
    "smile": ["smile"],
    "open mouth": ["open mouth"],
    "frown": ["frown"],
    "closed eyes": ["closed eyes", "smile"],
    "blush": ["blush"],
}
PROP = {
    "none": [],
    "holding umbrella": ["holding umbrella", "umbrella"],
    "holding book": ["holding book", "book"],
    "balloon": ["balloon"],
    "holding flower": ["holding flower", "flower"],
}
SCENE = {
    "beach": ["outdoors", "beach"],
    "night sky": ["outdoors", "night sky"],
    "forest": ["outdoors", "forest"],
    "city": ["outdoors", "city"],
    "classroom": ["indoors", "classroom"],
    "snow": ["outdoors", "snow"],
}


def clothes_tags(clothes: str) -> list[str]:
    """ "red dress" gives "red dress" and "dress"; the uniform has its own word."""
    if clothes == "sailor uniform":
        return ["serafuku"]
    return [clothes, clothes.split()[-1]]


def caption_tags(attributes: Attributes) -> list[str]:
    """Tags for what can be seen in the drawing, most telling first."""
    a = attributes
    tags = ["1girl", "solo", f"{a.hair_color} hair", a.hair_style]
    if a.expression != "closed eyes":
        tags.append(f"{a.eye_color} eyes")
    tags += EARS[a.ears] + clothes_tags(a.clothes) + HEADWEAR[a.headwear]
    # An upper body picture shows no legs: naming them would teach a falsehood.
    legs_shown = a.framing != "upper body"
    if legs_shown:
        tags += LEGWEAR[a.legwear]
    tags += EXPRESSION[a.expression]
    if legs_shown or a.pose not in ("standing", "sitting"):
        tags.append(a.pose)
    tags += PROP[a.prop]
    tags += SCENE.get(a.background, [a.background, "simple background"])
    return tags + [a.framing, "chibi"]
