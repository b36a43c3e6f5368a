"""The demo's raw downloads: what lies there, what screening makes of it, and that it can be made again."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path

import PIL
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "resources" / "demo"
RAW = DEMO / "raw" / "shimakaze"
EDITS = ROOT / "config" / "edits" / "shimakaze.yaml"
sys.path.insert(0, str(DEMO))

from rawset import encode, folder, plan, tagtext  # noqa: E402
from rawset.paint import paint  # noqa: E402
from rawset.rejects import MAKERS  # noqa: E402

from loramake import edits, manifest, screening, tags  # noqa: E402

# what is wrong → the rule that has to say so
RULES = {
    "two girls": "tags",
    "comic page": "tags",
    "truncated": "unreadable",
    "smaller copy": "near-duplicate",
    "multiple views": "tags",
    "greyscale": "tags",
    "web page": "unreadable",
    "recompressed copy": "near-duplicate",
    "animation": "animated",
    "small": "too small",
    "sketch": "tags",
    "same file": "duplicate",
    "untagged picture": "missing tags",
    "video": "stray",
    "tag file alone": "stray",
}


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    """What screening decides with the schema's defaults."""
    place = tmp_path_factory.mktemp("screen")
    listing = place / "manifest.json"
    listing.write_text(manifest.raw_text(str(RAW), "shimakaze"), encoding="utf-8")
    schema = yaml.safe_load((ROOT / "config" / "schema.yaml").read_text(encoding="utf-8"))
    settings = {key: entry["default"] for key, entry in schema["properties"]["screen"]["properties"].items()}
    return screening.screen_images(listing, EDITS, place / "screen.tsv", place / "cache", **settings)


def test_counts():
    pictures = plan.plan()
    assert (len(pictures), len(plan.REJECTED), len(plan.STRAYS)) == (61, 12, 3)
    assert plan.REJECTED.keys().isdisjoint(plan.STRAYS)
    assert [p.position for p in pictures] == plan.kept_positions()
    assert set(MAKERS) == set(plan.REJECTED.values())


def test_folder_holds_the_plan_and_nothing_else():
    names = {path.name for path in RAW.iterdir()}
    assert {path.stem for path in RAW.iterdir()} == {str(n) for n in range(1, plan.LAST + 1)}
    assert {picture.name for picture in plan.plan()} <= names
    assert sum(name.endswith(".txt") for name in names) == 61 + 12 + 1
    assert len(names) == 2 * 73 + 3
    assert sum(path.stat().st_size for path in RAW.iterdir()) <= 6e6


def test_screening_keeps_exactly_the_sixty_one(decisions):
    assert [d.file for d in decisions if d.keep] == [picture.name for picture in plan.plan()]


def test_screening_gives_the_reason_that_the_table_names(decisions):
    wrong = plan.REJECTED | plan.STRAYS
    found = {int(Path(d.file).stem): d.rule for d in decisions if not d.keep}
    assert found == {position: RULES[kind] for position, kind in wrong.items()}


def test_readme_names_every_rejected_and_stray_file(decisions):
    text = (DEMO / "README.md").read_text(encoding="utf-8")
    for decision in decisions:
        if not decision.keep:
            assert f"| `{decision.file}` | " in text
            row = next(line for line in text.splitlines() if line.startswith(f"| `{decision.file}` | "))
            assert row.rstrip(" |").endswith(f"| {decision.rule}")


def test_sizes_and_repairs():
    shapes, repairs = Counter(), Counter()
    for picture in plan.plan():
        with Image.open(RAW / picture.name) as image:
            assert image.size == picture.size
            assert min(image.size) >= 256
            ratio = image.width / image.height
            transparent = image.mode == "RGBA" or "transparency" in image.info
        shapes[
            "long" if max(ratio, 1 / ratio) > 3 else "tall" if ratio < 0.7 else "wide" if ratio > 1.4 else "near"
        ] += 1
        repairs[picture.repair] += 1
        assert transparent == picture.repair.startswith("transparent")
    assert shapes == {"near": 42, "tall": 12, "wide": 5, "long": 2}
    assert repairs[""] == 51


def test_tag_files_read_as_planned():
    for picture in plan.plan():
        found = tags.read_tags(RAW / f"{picture.position}.txt")
        assert set(found) == set(tagtext.tags_of(picture))
        assert tagtext.CHARACTER in found
        backgrounds = [tag for tag in found if tag.endswith(" background") and tag != "simple background"]
        assert (backgrounds == ["transparent background"]) == picture.repair.startswith("transparent")


def test_tag_files_come_in_many_spellings():
    contents = [path.read_bytes() for path in RAW.glob("*.txt")]
    assert any(content.startswith(b"\xef\xbb\xbf") for content in contents)
    assert any(content.endswith(b"\r\n") for content in contents)
    assert any(b"long_hair" in content for content in contents)
    assert any(b"long hair" in content for content in contents)


def test_every_value_is_shown_and_none_is_on_most_pictures():
    shown = [picture.attributes for picture in plan.plan()]
    for field in ("clothes", "background", "pose", "prop", "expression", "framing"):
        counts = Counter(getattr(a, field) for a in shown)
        assert min(counts.values()) >= (1 if field == "framing" else 2)
        if field not in ("framing", "clothes"):
            assert max(counts.values()) <= 0.45 * len(shown)


def test_edits_paint_over_what_was_painted():
    written = edits.read_edits(EDITS, [path.name for path in RAW.iterdir()])
    assert {name: edit.paint for name, edit in written.items()} == folder.paint_boxes()
    assert len(written) == 4


def test_paint_boxes_hold_all_that_was_added():
    for picture in plan.plan():
        if picture.repair in ("speech bubble", "signature"):
            spoilt = paint(picture)
            x0, y0, x1, y1 = spoilt.boxes[0]
            ink = [(x, y) for x in range(x0, x1) for y in range(y0, y1) if sum(spoilt.image.getpixel((x, y))) < 200]
            assert ink
            # none on the rim: the box ends in background
            assert all(x0 < x < x1 - 1 and y0 < y < y1 - 1 for x, y in ink)


@pytest.mark.parametrize("name", ["15.png", "69.png", "1.jpg"])
def test_made_again_with_the_same_pixels(name):
    picture = next((p for p in plan.plan() if p.name == name), None)
    assert picture is not None
    content = encode.encode(paint(picture).image, picture.suffix)
    if PIL.__version__ == encode.MADE_WITH:
        assert content == (RAW / name).read_bytes()
    elif picture.suffix == "png":
        with Image.open(io.BytesIO(content)) as made, Image.open(RAW / name) as kept:
            assert made.convert("RGBA").tobytes() == kept.convert("RGBA").tobytes()
    else:
        pytest.skip(f"Pillow {PIL.__version__} compresses otherwise than {encode.MADE_WITH}")


@pytest.mark.parametrize("kind", ["animation", "truncated", "web page"])
def test_rejects_are_made_again(kind):
    if PIL.__version__ != encode.MADE_WITH:
        pytest.skip(f"Pillow {PIL.__version__} compresses otherwise than {encode.MADE_WITH}")
    position = next(n for n, what in plan.REJECTED.items() if what == kind)
    suffix, content, found = MAKERS[kind](position)
    assert content == (RAW / f"{position}.{suffix}").read_bytes()
    assert tagtext.tag_file(found, position) == (RAW / f"{position}.txt").read_bytes()
