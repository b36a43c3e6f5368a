"""The dataset report: what it names, warns of and shows, and that nothing in a file name or tag gets out of hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from rawfolder import picture, write_raw

from loramake import pages, plots
from loramake.advice import judge_tag
from loramake.captions import normalize_tags
from loramake.cleaning import clean_images
from loramake.folding import build_dataset
from loramake.report import report_dataset
from loramake.screening import screen_images

HOSTILE = [
    "<script>alert(1)</script>.png",
    '"><img src=x onerror=alert(2)>.png',
    "' onmouseover='alert(3).png",
    "{{ 7 * 7 }}{% raw %}.png",
    "line\nbreak\tand\x01control.png",
    "\u202egnp.exe.png",
    "</style></title><!--.png",
    "рисунок 🦊 &amp; %s.png",
]
HOSTILE_TAGS = "shimakaze (azur lane), <b>bold</b>, \"quoted\", 'x' onload=alert(4), {{ config }}, </script>, ]]>, a&b"


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.elements, self.words = text, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def shown(self) -> str:
        """All text of the page in one line."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict]:
        """Attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def make(tmp_path):
    """Build the dataset stages and the report on a raw folder; the page."""

    def build(files: dict, edits: str = "", **changed: object) -> Page:
        shutil.rmtree(tmp_path / "raw", ignore_errors=True)
        manifest = write_raw(tmp_path / "raw", files)
        hand = tmp_path / "edits.yaml"
        hand.write_text(edits or "files: {}", encoding="utf-8")
        stages = [tmp_path / name for name in ("screen.tsv", "clean", "tags", "dataset", "dataset.html")]
        screen, clean, captions, dataset, page = stages
        screen_images(
            manifest, hand, screen, tmp_path / "cache/screen", out_summary=tmp_path / "summary.tsv",
            reject_tags=["comic"], min_side=32, reject_aspect=8, near_duplicate_distance=0, require_tags=True,
        )  # fmt: skip
        clean_images(
            manifest, screen, hand, clean, tmp_path / "cache/clean",
            max_aspect=3, alpha_visible_share=0.001, jpeg_quality=95,
        )  # fmt: skip
        normalize_tags(
            manifest, screen, clean, hand, None, captions, tmp_path / "tags.tsv", tmp_path / "captions.tsv",
            tag="shimakaze (azur lane)", trigger="shim", drop=[], keep=[], drop_costumes=True, rename={}, tag_list="",
            drop_categories=[], fold_implied=False, implications={},
        )  # fmt: skip
        build_dataset(
            manifest, screen, clean, captions, hand, dataset, trigger="shim", repeats=6, target_steps=1,
            max_train_epochs=10, tiers={},
        )  # fmt: skip
        settings = {
            "tag": "shimakaze (azur lane)", "resolution": 64, "enable_bucket": True, "min_bucket_reso": 32,
            "max_bucket_reso": 128, "bucket_reso_steps": 32, "bucket_no_upscale": False, "train_batch_size": 4,
            "max_train_epochs": 10, "max_token_length": 75, "flat_backgrounds": 0.5, "one_sided": 0.75, "rare_costume": 3,
        }  # fmt: skip
        report_dataset(
            manifest, screen, tmp_path / "summary.tsv", hand, clean, tmp_path / "tags.tsv", tmp_path / "captions.tsv",
            dataset, page, tmp_path / "cache/report", character="shimakaze",
            **{**settings, **changed},
        )  # fmt: skip
        return Page(page.read_text(encoding="utf-8"))

    return build


def pair(number: int, words: str = "outdoors", size: tuple[int, int] = (72, 96)) -> dict:
    return {f"{number}.png": picture(number, size), f"{number}.txt": f"shimakaze (azur lane), 1girl, {words}"}


def test_every_raw_file_is_named_with_its_decision(make):
    strays = {"film.mp4": b"x", "notes.md": b"x", "broken.png": b"\x89PNG", "alone.txt": "1girl"}
    page = make({**pair(1), **pair(2, "comic"), "3.png": picture(3), **strays})
    for name in ("1.png", "2.png", "3.png", *strays):
        assert f" {name} " in page.shown, name
    files = [each for each in page.all("li") if each.get("class", "").startswith("file ")]
    assert [each["class"] for each in files].count("file keep") == 1
    assert [each["data-rule"] for each in files].count("tags") == 1
    assert "shim, 1girl, outdoors" in page.shown


def test_nothing_comes_from_outside(make):
    page = make(pair(1) | pair(2, "https://example.org/x.js"))
    assert any("default-src 'none'" in each.get("content", "") for each in page.all("meta"))
    addresses = [each[key] for _, each in page.elements for key in ("src", "href", "srcset", "action") if key in each]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not page.all("link")
    assert not re.search(r"url\(|@import", page.text)


def test_the_policy_allows_the_pages_own_script_alone(make):
    page = make(pair(1))
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert pages.policy(script) == policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]


def test_hostile_names_and_tags_stay_text(make):
    files = {}
    for number, name in enumerate(HOSTILE):
        name = name.replace("/", "\N{DIVISION SLASH}")
        files |= {name: picture(number), name.removesuffix(".png") + ".txt": HOSTILE_TAGS}
    page = make(files)
    calm = make(pair(1))
    kinds = {(tag, key) for tag, attributes in calm.elements for key in attributes}
    assert {(tag, key) for tag, attributes in page.elements for key in attributes} <= kinds | {("details", "open")}
    assert len(page.all("script")) == 1
    assert "<script>alert(1)<\N{DIVISION SLASH}script>.png" in page.shown
    assert "{{ 7 * 7 }}{% raw %}.png" in page.shown
    assert r"line\nbreak\tand\x01control.png" in page.shown
    assert "\u202e" not in page.text
    assert "<b>bold</b>" in page.shown
    assert "рисунок 🦊 &amp; %s.png" in page.shown


def test_warnings_come_first_and_only_where_they_should(make):
    few = make(pair(1, "white background"))
    warnings = [each for each in few.all("li") if "warning" in each.get("class", "").split()]
    assert "Only 1 picture" in few.shown
    assert "100% of the backgrounds" in few.shown
    assert few.shown.index("Only 1 picture") < few.shown.index("raw files")
    marks = ["from behind, full body, outdoors", "from side, upper body, indoors", "cowboy shot, white background"]
    many = make({key: value for n in range(60) for key, value in pair(n, marks[n % 3], (64, 64)).items()})
    kept = [each for each in many.all("li") if "warning" in each.get("class", "").split()]
    assert len(warnings) >= 3
    assert kept == []


def test_a_character_tag_that_no_picture_has_is_warned_of(make):
    assert "No picture has the tag" not in make(pair(1)).shown
    other = {"1.png": picture(1, (72, 96)), "1.txt": "shimakaze (kancolle), 1girl"}
    assert "No picture has the tag shimakaze (azur lane)" in make(other).shown


@pytest.mark.parametrize(
    ("tag", "named", "level", "words"),
    [
        ("shimakaze (azur lane)", 9, None, ""),
        ("azur lane shimakaze", 0, "warning", "shimakaze (azur lane) may be"),
        ("rem", 0, "warning", "shimakaze (azur lane) may be"),
    ],
)
def test_likely_names_of_the_character(tag, named, level, words):
    remarks = judge_tag(tag, named, {"shimakaze (azur lane)": 9, "long hair": 9, "smile": 3, "hat (series)": 1})
    assert [remark.level for remark in remarks] == ([level] if level else [])
    assert all(words in remark.text for remark in remarks)


def test_image_passes_and_optimizer_steps(make):
    # 3 pictures in a square bucket and 1 in a wide one, 6 repeats, batches of 4: 18 and 6 passes are 5 and 2 steps
    page = make({**pair(1), **pair(2), **pair(3), **pair(4, size=(100, 40))})
    assert "image passes an epoch 24 " in page.shown
    assert "image passes in all 240 " in page.shown
    assert "optimizer steps in all 70 " in page.shown


def test_optimizer_steps_of_several_batches(make):
    files = {**pair(1), **pair(2), **pair(3), **pair(4, size=(100, 40))}
    page = make(files, gradient_accumulation_steps=2, num_processes=2)  # 7 batches an epoch are 2 steps
    assert "optimizer steps in all 20 " in page.shown and "image passes in all 240 " in page.shown
    page = make(files, max_train_steps=14)
    assert "optimizer steps in all 14 " in page.shown and "image passes in all 48 " in page.shown


def test_the_cut_border_is_drawn(make):
    page = make(pair(1, size=(64, 64)) | pair(2, size=(64, 72)), resolution=64)
    # 64x72 covers 64x64 with a ninth left over, half of it at the top, half at the bottom
    strips = [each["style"] for each in page.all("i")]
    assert strips == [
        "left:0.00%;top:0.00%;width:100.00%;height:5.56%",
        "left:0.00%;top:94.44%;width:100.00%;height:5.56%",
    ]
    assert "11% cut" in page.shown


def test_cleaning_shows_before_and_after(make):
    page = make({**pair(1), "2.png": picture(2, (64, 64), "RGBA"), "2.txt": "shimakaze (azur lane), smile"})
    assert {"before", "after"} <= {each.get("alt") for each in page.all("img")}
    assert "see-through" in page.shown
    assert not {"before", "after"} & {each.get("alt") for each in make(pair(1)).all("img")}


def test_what_was_painted_over_and_what_was_kept_is_outlined(make):
    edits = "files: {2.png: {paint: [[0, 0, 50, 20]], crop: [0, 0, 100, 50]}}"
    page = make({**pair(1), **pair(2, size=(200, 100))}, edits)
    marks = {each["class"]: each["style"] for each in page.all("b") if "class" in each}
    assert marks == {
        "painted": "left:0.00%;top:0.00%;width:25.00%;height:20.00%",
        "kept": "left:0.00%;top:0.00%;width:50.00%;height:50.00%",
    }


def test_the_cut_off_part_of_a_long_picture_is_outlined(make):
    page = make({**pair(1), **pair(2, size=(400, 50))})
    (style,) = (each["style"] for each in page.all("b") if "class" in each)
    assert re.search("width:37.50%;height:100.00%", style)


def test_reasons_are_counted_within_a_rule(make):
    page = make({**pair(1), **pair(2, "comic"), **pair(3, "comic"), "film.mp4": b"x"})
    assert "comic 2" in page.shown
    assert "a video 1" in page.shown


def test_tags_that_are_in_no_caption_are_listed_with_the_reason(make):
    page = make({**pair(1, "highres"), **pair(2, "highres")})
    assert "1 tag left out of captions" in page.shown
    assert "highres 2, junk" in page.shown


def test_captions_that_are_cut_are_listed(make):
    words = ", ".join(f"word{number}" for number in range(60))
    page = make(pair(1) | pair(2, words))
    assert "word59" in page.shown
    assert "1 caption would be cut" in page.shown
    assert "1 is longer than 75" in page.shown


def test_what_the_minors_rule_drops_is_named_but_never_shown(make):
    page = make({**pair(1), **pair(2, "loli, nude")})
    (item,) = [each for each in page.all("li") if each.get("data-rule") == "minors"]
    assert " 2.png " in page.shown
    # 1.png in the list and in the preview, and nothing else
    assert len(page.all("img")) == 2
    assert item["class"] == "file drop"


def test_the_same_set_gives_the_same_page_and_makes_no_thumbnail_twice(make, tmp_path):
    files = pair(1) | pair(2)
    first = make(files)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache/report").rglob("*-*.webp")}
    assert before
    assert make(files).text == first.text
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache/report").rglob("*-*.webp")} == before


def test_marks_of_the_token_plot():
    short, long = (
        plots.histogram(values, (75, 150, 225), unit="tokens", noun="captions") for values in ([9], [9, 160])
    )
    assert re.findall(r">(\d+) tokens<", short) == ["75"]
    assert re.findall(r">(\d+) tokens<", long) == ["75", "150", "225"]


def test_the_report_needs_no_torch():
    code = "import loramake.report, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
