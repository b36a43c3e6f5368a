"""Copies are found; similar drawings are not taken for copies."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from rawfolder import picture

from loramake import neardup
from loramake.coarsematch import least_differences, shrink
from loramake.neardup import find_copies, largest_difference, make_thumbnail, sign

LIMIT = 24


def face(mouth: str = "smile", eyes: str = "blue", arm: int = 0, hair: str = "wheat") -> Image.Image:
    """A doll on white, which differs from its like in small things only."""
    image = Image.new("RGB", (384, 512), "white")
    pen = ImageDraw.Draw(image)
    pen.polygon([(150, 300), (234, 300), (300, 480), (84, 480)], fill="crimson", outline="black", width=4)
    pen.line([(240, 330), (330, 300 + arm)], fill="bisque", width=22)
    pen.ellipse((92, 80, 292, 300), fill=hair, outline="black", width=4)
    pen.ellipse((116, 130, 268, 296), fill="bisque", outline="black", width=3)
    for x in (150, 212):
        pen.ellipse((x, 190, x + 26, 230), fill=eyes, outline="black", width=3)
    if mouth == "smile":
        pen.arc((175, 240, 210, 270), 10, 170, fill="black", width=5)
    else:
        pen.ellipse((178, 246, 206, 280), fill="darkred", outline="black", width=3)
    return image


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def copies(*pictures: Image.Image) -> int:
    thumbnails = {str(index): make_thumbnail(image) for index, image in enumerate(pictures)}
    hashes = {name: sign(thumbnail) for name, thumbnail in thumbnails.items()}
    return len(find_copies(list(thumbnails), hashes, lambda name: np.asarray(thumbnails[name]), LIMIT))


COPIES = {
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "jpeg": lambda image: recompressed(image, 40),
    "small jpeg": lambda image: recompressed(image.resize((250, 333)), 70),
    "cut": lambda image: image.crop((15, 20, image.width - 10, image.height - 22)),
    "cut and compressed": lambda image: recompressed(image.crop((15, 0, image.width, image.height - 22)), 60),
    "grown": lambda image: image.resize((700, 933), Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("original", [face(), picture(4, (384, 512))], ids=["doll", "blots"])
def test_copies_are_found(original, how):
    assert copies(original, COPIES[how](original)) == 1


@pytest.mark.parametrize(
    "other",
    [face(mouth="open"), face(eyes="red"), face(arm=60), face(hair="pink"), ImageOps.mirror(face(arm=60))],
    ids=["mouth", "eyes", "pose", "hair", "mirrored"],
)
def test_similar_drawings_are_not(other):
    assert copies(face(), other) == 0


def test_a_copy_of_a_copy_names_the_one_that_is_kept():
    names = {"a": face(), "b": COPIES["half"](face()), "c": COPIES["jpeg"](face()), "d": face(mouth="open")}
    thumbnails = {name: make_thumbnail(image) for name, image in names.items()}
    hashes = {name: sign(each) for name, each in thumbnails.items()}

    def thumbnail(name):
        return np.asarray(thumbnails[name])

    assert find_copies(list(names), hashes, thumbnail, LIMIT) == {"b": "a", "c": "a"}
    assert find_copies(list(names), hashes, thumbnail, 0) == {}


def test_blank_pictures_compare_without_fuss():
    white, black = (np.full((128, 128, 3), value, dtype=np.uint8) for value in (255, 0))
    assert largest_difference(white, white) == 0
    assert largest_difference(white, black) > 200


def test_tiny_pictures_tell_cuts_from_other_pictures():
    shrunk = {name: shrink(np.asarray(make_thumbnail(how(face())))) for name, how in COPIES.items()}
    shrunk["other"] = shrink(np.asarray(make_thumbnail(picture(4, (384, 512)))))
    least = least_differences(shrink(np.asarray(make_thumbnail(face()))), np.stack(list(shrunk.values())))
    least = dict(zip(shrunk, least, strict=True))
    assert max(least[name] for name in COPIES) < 6
    assert least["other"] > 20


def test_only_likely_copies_are_looked_at_closely(monkeypatch):
    # pale, so that their coarse colours are much the same
    white = Image.new("RGB", (200, 266), "white")
    pictures = [Image.blend(picture(number, (200, 266)), white, 0.75) for number in range(40)]
    pictures.append(pictures[3].resize((300, 400)))
    thumbnails = {str(place): make_thumbnail(image) for place, image in enumerate(pictures)}
    asked = []
    monkeypatch.setattr(neardup, "largest_difference", lambda *pair: asked.append(pair) or largest_difference(*pair))
    hashes = {name: sign(each) for name, each in thumbnails.items()}
    assert find_copies(list(thumbnails), hashes, lambda name: np.asarray(thumbnails[name]), 32) == {"40": "3"}
    assert len(asked) < 20
