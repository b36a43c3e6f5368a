"""Captions: what is dropped, renamed, and put first."""

from __future__ import annotations

import pytest
from PIL import Image
from rawfolder import picture, write_raw

from loramake.captionrules import costume_pattern, junk_patterns, make_rules
from loramake.captions import background_tags, normalize_tags
from loramake.captiontables import read_caption_table, read_tag_table
from loramake.cleaning import COLUMNS as CHANGES
from loramake.cleaning import clean_images
from loramake.errors import UserError
from loramake.implications import read_implications
from loramake.repairs import Change
from loramake.screening import COLUMNS
from loramake.tables import write_table
from loramake.taglist import TagList, read_tag_list
from loramake.tagrules import parse_expressions
from loramake.texttags import gone_tags

NONE = TagList({}, {})


def caption(raw, tag="shimakaze (azur lane)", trigger="shim", drop=(), keep=(), costumes=True, rename=None, known=NONE,
            categories=("artist", "copyright", "meta"), implications=None):  # fmt: skip
    folding = None if implications is None else read_implications(implications)
    rules = make_rules(tag, trigger, drop, keep, costumes, rename or {}, known, categories, folding)
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


@pytest.mark.parametrize("renamed", ["shim", "Shim", "shimakaze_(azur_lane)"])
def test_nothing_is_renamed_to_a_second_trigger(renamed):
    assert caption(["1girl", "chibi", "solo"], rename={"chibi": renamed}) == ["shim", "1girl", "solo"]


def test_implied_tags_are_folded_on_request():
    raw = ["animal ears", "1girl", "rabbit ears", "white dress", "dress", "no hat", "hat", "sky"]
    assert caption(raw) == ["shim", *raw]
    assert caption(raw, implications={}) == ["shim", "1girl", "rabbit ears", "white dress", "no hat", "hat", "sky"]
    assert caption(raw, implications={}, keep=["dress"]) == [
        "shim", "1girl", "rabbit ears", "white dress", "dress", "no hat", "hat", "sky"
    ]  # fmt: skip
    assert caption(["animal_ears", "moose ears"], implications={}) == ["shim", "animal_ears", "moose ears"]
    assert caption(["animal ears", "moose ears"], implications={"Animal_Ears": ["moose_ears"]}) == [
        "shim",
        "moose ears",
    ]


def test_no_shipped_implication_folds_both_of_two_tags():
    """A circle would leave nothing of what the picture shows."""
    table = read_implications({})
    names = list(table._patterns)
    for one in names:
        for other in names:
            assert len(table.find([one, other])) < 2, (one, other)


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


def test_categories_that_downloads_tell():
    known = TagList({"smile": "0", "1girl": "0"}, {"smiling": "smile"}).knowing(
        [{"artist": ["mikan box", "smiling"], "general": ["hat"]}, {"meta": ["hat", "odd"], "species": ["cat"]}]
    )
    assert [known.category(tag) for tag in ("mikan box", "smile", "hat", "odd", "cat", "1girl")] == [
        "artist", "general", "general", "meta", "", "general"
    ]  # fmt: skip
    assert caption(["mikan box", "smile", "odd", "hat"], known=known) == ["shim", "smile", "hat"]


@pytest.mark.parametrize("content", [None, "1girl,general,5,\n", "\xff"])
def test_bad_tag_lists_are_refused(tmp_path, content):
    path = tmp_path / "list.csv"
    if content:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="tags.tag_list"):
        read_tag_list(path)


@pytest.fixture
def stages(tmp_path):
    """Runs screening, cleaning and captions on files; returns captions by file name and the two tables."""

    def run(files, edits="", autotags=None, **settings):
        manifest = write_raw(tmp_path / "raw", files)
        by_hand = tmp_path / "edits.yaml"
        by_hand.write_text(edits)
        screen, clean, out = tmp_path / "s.tsv", tmp_path / "clean", tmp_path / "tags"
        rows = [[name, "keep", "", ""] for name in files if name.endswith((".png", ".jpg"))]
        write_table(screen, COLUMNS, [row for row in rows if row[0] != "4.png"])
        clean_images(
            manifest,
            screen,
            by_hand,
            clean,
            tmp_path / "c2",
            max_aspect=3.0,
            alpha_visible_share=0.001,
            jpeg_quality=95,
        )
        out.mkdir(exist_ok=True)
        (out / "99.txt").write_text("from an earlier run")
        plain = {
            "tag": "shimakaze (azur lane)", "trigger": "shim", "drop": [], "keep": [], "drop_costumes": True, "rename": {},
            "tag_list": "", "drop_categories": ["artist", "meta"], "fold_implied": False, "implications": {},
        }  # fmt: skip
        tables = tmp_path / "tags.tsv", tmp_path / "captions.tsv"
        normalize_tags(manifest, screen, clean, by_hand, autotags, out, *tables, **plain | settings)
        captions = {path.name: path.read_text() for path in out.iterdir()}
        return captions, read_tag_table(tables[0]), read_caption_table(tables[1])

    return run


FILES = {
    "1.png": picture(1, mode="RGBA"), "1.txt": "1girl, transparent_background, shimakaze_\\(azur_lane\\), highres",
    "2.jpg": picture(2), "2.txt": "\ufeffSolo\r\n1girl\r\nsmile",
    "3.png": Image.new("RGB", (64, 64), "red"),
    "4.png": picture(4), "4.txt": "comic",
}  # fmt: skip


def test_from_raw_files_to_captions(stages):
    captions, _, _ = stages(FILES, "files: {2.jpg: {tags: {add: [wink], drop: [smile]}}, 3.png: {keep: true}}")
    assert captions == {
        "1.txt": "shim, 1girl, white background, simple background\n",
        "2.txt": "shim, solo, 1girl, wink\n",
        "3.txt": "shim\n",
    }


def test_the_tagger_helps_where_tags_are_missing(stages, tmp_path):
    folder = tmp_path / "auto"
    folder.mkdir()
    (folder / "3.png.txt").write_text("shimakaze (azur lane), red theme, ^_^, rating:general")
    captions, _, table = stages(FILES, autotags=folder)
    assert captions["3.txt"] == "shim, red theme, ^_^\n"
    assert captions["2.txt"] == "shim, solo, 1girl, smile\n"
    assert [row.source for row in table] == ["file", "file", "tagger"]


def test_side_files_tell_categories(stages):
    files = FILES | {
        "2.json": '{"id": 1, "tags": {"general": ["smile"], "artist": ["mikan_box"], "meta": ["1girl"]}}',
        "3.txt": "mikan box, smile", "3.json": "[broken",
    }  # fmt: skip
    captions, tags, _ = stages(files)
    assert captions["3.txt"] == "shim, smile\n"
    assert captions["2.txt"] == "shim, solo, smile\n"
    assert {row.tag: row.left_out for row in tags if row.category} == {
        "smile": "",
        "mikan box": "artist",
        "1girl": "meta",
    }


def test_hand_made_edits_may_use_an_alias(stages, tmp_path):
    (tmp_path / "list.csv").write_text("smile,0,9,smiling\n1girl,0,9,one_girl\nsolo,0,9,alone\n")
    captions, _, _ = stages(
        FILES, "files: {2.jpg: {tags: {add: [alone, wink], drop: [smiling]}}}", tag_list=str(tmp_path / "list.csv")
    )
    assert captions["2.txt"] == "shim, solo, 1girl, wink\n"


def test_the_tables_tell_what_became_of_each_tag(stages):
    _, tags, captions = stages(FILES, rename={"smile": "grin"}, fold_implied=True)
    rows = {row.tag: (row.pictures, row.captions, row.left_out) for row in tags}
    assert rows == {
        "shim": (0, 3, ""),
        "1girl": (2, 2, ""),
        "white background": (1, 1, ""),
        "simple background": (1, 0, "implied by white background"),
        "shimakaze (azur lane)": (1, 0, "the trigger"),
        "highres": (1, 0, "junk"),
        "solo": (1, 1, ""),
        "smile": (1, 0, "renamed to grin"),
        "grin": (0, 1, ""),
    }
    assert [row.tag for row in tags][:2] == ["shim", "1girl"]
    assert [(row.file, row.source, row.tags) for row in captions] == [
        ("1.png", "file", 3), ("2.jpg", "file", 4), ("3.png", "none", 1)
    ]  # fmt: skip
    assert captions[1].caption == "shim, solo, 1girl, grin"
    assert 7 <= captions[1].length.tokens <= 12


def test_the_table_names_what_each_length_would_cut(stages):
    long = [f"tag number {number}" for number in range(100, 160)]
    _, _, (first, *_) = stages({"1.png": picture(1), "1.txt": ", ".join(long)})
    assert first.length.tokens > 225
    cuts = [first.length.cut[limit] for limit in (75, 150, 225)]
    assert all(cut and cut == long[-len(cut) :] for cut in cuts)
    assert len(cuts[0]) > len(cuts[1]) > len(cuts[2])


BUBBLE, SIGNATURE = (
    Change("text", "bubble [1, 2, 30, 40]"),
    Change("text crop", "to [0, 0, 9, 8], for text [1, 8, 5, 9]"),
)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ([], []),
        ([BUBBLE], ["speech bubble", "english text"]),
        ([SIGNATURE], ["english text", "signature"]),
        ([BUBBLE, SIGNATURE], ["speech bubble", "english text", "signature"]),
        ([BUBBLE, Change("left", "text not near an edge: text [1, 2, 3, 4]")], []),
        ([Change("crop", "[1, 2, 3, 4]"), Change("paint", "[1, 2, 3, 4]"), Change("alpha", "9%")], []),
    ],
)
def test_tags_of_writing_go_with_the_writing(changes, gone):
    found = ["1girl", "speech bubble", "english text", "signature", "context", "bubble"]
    assert gone_tags(found, changes) == gone


def test_writing_that_cleaning_removed_is_in_no_caption(tmp_path):
    manifest = write_raw(tmp_path / "raw", {"1.png": picture(1), "1.txt": "1girl, signature, english text, smile"})
    write_table(tmp_path / "screen.tsv", COLUMNS, [("1.png", "keep", "", "")])
    (tmp_path / "clean").mkdir()
    write_table(tmp_path / "clean/changes.tsv", CHANGES, [("1.png", SIGNATURE.change, SIGNATURE.detail)])
    settings = {
        "tag": "shim", "trigger": "shim", "drop": [], "drop_costumes": True, "rename": {}, "tag_list": "",
        "drop_categories": [], "fold_implied": False, "implications": {},
    }  # fmt: skip
    tables = tmp_path / "tags.tsv", tmp_path / "captions.tsv"

    def run(keep: list[str], edits: str = "files: {}") -> list[str]:
        (tmp_path / "edits.yaml").write_text(edits, encoding="utf-8")
        stages = manifest, tmp_path / "screen.tsv", tmp_path / "clean", tmp_path / "edits.yaml", None, tmp_path / "tags"
        return normalize_tags(*stages, *tables, **settings, keep=keep)["1.png"]

    assert run([]) == ["shim", "1girl", "smile"]
    rows = {row.tag: row for row in read_tag_table(tables[0])}
    assert (rows["signature"].pictures, rows["signature"].captions) == (1, 0)
    assert rows["signature"].left_out
    assert run(["signature"]) == ["shim", "1girl", "signature", "smile"]
    assert "english text" in run([], "files: {1.png: {tags: {add: [english text]}}}")
