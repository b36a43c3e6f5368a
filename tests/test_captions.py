"""Captions: what is dropped, renamed, and put first."""

from __future__ import annotations

import pytest
from PIL import Image
from rawfolder import picture, write_raw

from loramake.captions import background_tags, costume_pattern, junk_patterns, make_rules, normalize_tags
from loramake.cleaning import clean_images
from loramake.errors import UserError
from loramake.screening import screen_images
from loramake.taglist import TagList, read_tag_list
from loramake.tagrules import parse_expressions

NONE = TagList({}, {})


def caption(raw, tag="shimakaze (azur lane)", trigger="shim", drop=(), keep=(), costumes=True, rename=None, known=NONE,
            categories=("artist", "copyright", "meta")):  # fmt: skip
    rules = make_rules(tag, trigger, drop, keep, costumes, rename or {}, known, categories)
    return rules.caption(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["1girl", "shimakaze (azur lane)", "smile"], ["shim", "1girl", "smile"]),
        (["1girl", "smile"], ["shim", "1girl", "smile"]),
        (["1girl", "shim", "shimakaze (azur lane)"], ["shim", "1girl"]),
        ([], ["shim"]),
        (["absurdres", "highres", "commentary request", "artist name", "commission", "1girl"], ["shim", "1girl"]),
        (["english commentary", "mikan (artist)", "bad pixiv id", "rating:general", "1girl"], ["shim", "1girl"]),
        (["shimakaze (the white rabbit of wonderland) (azur lane)", "1girl"], ["shim", "1girl"]),
        (
            ["shimakaze (kancolle)", "shimakaze-kun", "amatsukaze (azur lane)"],
            ["shim", "shimakaze-kun", "amatsukaze (azur lane)"],
        ),
        (["azur lane", "1girl", "^_^"], ["shim", "1girl", "^_^"]),
    ],
)
def test_the_shipped_rules(raw, expected):
    assert caption(raw) == expected


def test_own_rules():
    assert caption(["1girl", "smile", "blue hat"], drop=["* hat"]) == ["shim", "1girl", "smile"]
    assert caption(["highres", "1girl"], keep=["highres"]) == ["shim", "highres", "1girl"]
    costume = "shimakaze (the white rabbit of wonderland) (azur lane)"
    assert caption([costume], keep=["*wonderland*"]) == ["shim", costume]
    assert caption([costume], costumes=False) == ["shim", costume]
    renames = {"rabbit_ears": "animal ears", "smile": "", "1girl": None, "solo": "Solo Girl"}
    assert caption(["rabbit ears", "animal ears", "smile", "1girl", "solo"], rename=renames) == [
        "shim",
        "animal ears",
        "Solo Girl",
    ]


def test_a_trigger_with_capitals_or_spaces_stands_once():
    assert caption(["shim 2", "1girl"], trigger="Shim 2") == ["Shim 2", "1girl"]
    assert caption(["hatsune miku", "hatsune miku (append)"], tag="hatsune_miku", trigger="miku") == ["miku"]


def test_costumes_without_parentheses_in_the_tag():
    pattern = costume_pattern("2b (nier:automata)")
    assert pattern.fullmatch("2b (dlc) (nier:automata)")
    assert not pattern.fullmatch("2b (nier:automata)")
    assert not pattern.fullmatch("a2 (nier:automata)")


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match="tags.drop"):
        caption([], drop=["a & "])
    with pytest.raises(UserError, match="tags.drop_categories"):
        caption([], categories=["artists"])


def test_the_shipped_list_is_readable():
    patterns = junk_patterns()
    assert "absurdres" in patterns
    assert len(patterns) == len(set(patterns))
    parse_expressions(patterns, "junk")


@pytest.mark.parametrize(
    ("raw", "flattened", "expected"),
    [
        (["a", "transparent background", "b"], True, ["a", "white background", "simple background", "b"]),
        (["simple background", "transparent background"], True, ["simple background", "white background"]),
        (["transparent background", "white background"], True, ["white background", "simple background"]),
        (["a"], True, ["a", "white background", "simple background"]),
        (["a", "blue background"], True, ["a", "blue background"]),
        (["a", "transparent background"], False, ["a"]),
        (["a"], False, ["a"]),
    ],
)
def test_flattened_pictures_stand_on_white(raw, flattened, expected):
    assert background_tags(raw, flattened) == expected


def test_tag_list(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        'name,category,count,aliases\n1girl,0,6,"1girls,sole_female"\nmikan_box,1,5,\nazur_lane,3,4,"azurlane"\n'
        'shimakaze_(azur_lane),4,3,"shimakaze_(al)"\nhighres,5,2,"hires"\n^_^,0,1,\n',
        encoding="utf-8",
    )
    known = read_tag_list(path)
    assert known.canonical("sole female") == "1girl"
    assert known.canonical("unheard of") == "unheard of"
    raw = ["1girl", "mikan box", "azur lane", "shimakaze (azur lane)", "^_^"]
    assert caption(raw, known=known) == ["shim", "1girl", "^_^"]
    assert caption(raw, known=known, categories=[]) == ["shim", "1girl", "mikan box", "azur lane", "^_^"]
    assert caption(raw, known=known, keep=["mikan box"]) == ["shim", "1girl", "mikan box", "^_^"]
    assert caption(["shimakaze (azur lane)"], tag="shimakaze_(al)", known=known) == ["shim"]


@pytest.mark.parametrize("content", [None, "1girl,general,5,\n", "\xff"])
def test_bad_tag_lists_are_refused(tmp_path, content):
    path = tmp_path / "list.csv"
    if content:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="tags.tag_list"):
        read_tag_list(path)


def test_from_raw_files_to_captions(tmp_path):
    files = {
        "1.png": picture(1, mode="RGBA"), "1.txt": "1girl, transparent_background, shimakaze_\\(azur_lane\\), highres",
        "2.jpg": picture(2), "2.txt": "\ufeffSolo\r\n1girl\r\nsmile",
        "3.png": Image.new("RGB", (64, 64), "red"),
        "4.png": picture(4), "4.txt": "comic",
    }  # fmt: skip
    manifest = write_raw(tmp_path / "raw", files)
    edits = tmp_path / "edits.yaml"
    edits.write_text("files: {2.jpg: {tags: {add: [wink], drop: [smile]}}, 3.png: {keep: true}}")
    screen_images(
        manifest, edits, tmp_path / "s.tsv", tmp_path / "c1", reject_tags=["comic"], min_side=10, reject_aspect=9,
        near_duplicate_distance=0, require_tags=True,
    )  # fmt: skip
    clean_images(
        manifest, tmp_path / "s.tsv", edits, tmp_path / "clean", tmp_path / "c2", max_aspect=3.0,
        alpha_visible_share=0.001, jpeg_quality=95,
    )  # fmt: skip
    out = tmp_path / "tags"
    out.mkdir()
    (out / "99.txt").write_text("from an earlier run")
    normalize_tags(
        manifest, tmp_path / "s.tsv", tmp_path / "clean", edits, None, out, tag="shimakaze (azur lane)", trigger="shim",
        drop=[], keep=[], drop_costumes=True, rename={}, tag_list="", drop_categories=[],
    )  # fmt: skip
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "1.txt": "shim, 1girl, white background, simple background\n",
        "2.txt": "shim, solo, 1girl, wink\n",
        "3.txt": "shim\n",
    }
