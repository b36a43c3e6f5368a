"""Tags, ratings and scores beside a picture, in the forms that downloaders leave."""

from __future__ import annotations

import json

import pytest

from loramake.errors import UserError
from loramake.rawfiles import RawFolder, pair_side_files, pair_tag_files
from loramake.rawtags import rating_of, read_raw_tags, read_side_file


def folder_of(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    names = tuple(files)
    return RawFolder(tmp_path, names, pair_tag_files(names), pair_side_files(names))


def test_layouts_of_grabber_gallery_dl_and_kohya(tmp_path):
    names = ["1.jpg", "1.txt", "2.jpg", "2.jpg.txt", "2.jpg.json", "3.png", "3.caption", "4.png", "4.txt", "4.caption"]
    raw = folder_of(tmp_path, dict.fromkeys([*names, "5.txt", "meta.json"], ""))
    assert raw.tag_files == {"1.jpg": "1.txt", "2.jpg": "2.jpg.txt", "3.png": "3.caption", "4.png": "4.txt"}
    assert raw.side_files == {"2.jpg": "2.jpg.json"}
    assert raw.strays == ["4.caption", "5.txt", "meta.json"]


@pytest.mark.parametrize(
    ("content", "rating", "score", "tags"),
    [
        ({"id": 7, "site": "danbooru", "source": "", "rating": "general", "score": 31,
          "tags": {"artist": ["Someone"], "general": ["long_hair", "smile"]}}, "general", 31,
         ["someone", "long hair", "smile"]),
        ({"category": "danbooru", "rating": "s", "score": -2, "tag_string": "1girl long_hair",
          "tag_string_general": "1girl long_hair"}, "sensitive", -2, ["1girl", "long hair"]),
        ({"category": "yandere", "rating": "s", "score": 4, "tags": "1girl long_hair"}, "general", 4,
         ["1girl", "long hair"]),
        ({"category": "gelbooru", "rating": "explicit", "score": "12", "tags": "1girl solo"}, "explicit", 12,
         ["1girl", "solo"]),
        ({"category": "e621", "rating": "q", "score": {"up": 9, "down": -1, "total": 8},
          "tags": {"general": ["solo"]}}, "questionable", 8, ["solo"]),
        ({"tags": ["Two Words", 7, None], "score": None, "rating": 3}, "", 0, ["two words"]),
        ({"score": "many", "rating": "odd"}, "", 0, []),
    ],
)  # fmt: skip
def test_side_files(tmp_path, content, rating, score, tags):
    (tmp_path / "1.json").write_text(json.dumps(content), encoding="utf-8")
    side = read_side_file(tmp_path / "1.json")
    assert (side.rating, side.score, list(side.tags)) == (rating, score, tags)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"7", b"\xff\xfe{", b"[" * 100_000, b" " * 1_000_001])
def test_damaged_side_files_are_named_and_passed_over(tmp_path, content):
    raw = folder_of(tmp_path, {"1.jpg": b"", "1.txt": "solo", "1.json": content})
    with pytest.raises(UserError, match="1.json"):
        read_side_file(tmp_path / "1.json")
    known = read_raw_tags(raw, "1.jpg")
    assert known.tags == ["solo"]
    assert "1.json" in known.note


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"1girl, \x00\x01\x02, solo", "damaged"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b'{"success": false}', "JSON"),
        ("1girl, solo".encode("utf-16")[:-1], "damaged"),
        (b"a, " * 400_000, "MB"),
    ],
)
def test_what_is_no_tag_file_is_a_problem(tmp_path, content, named):
    raw = folder_of(tmp_path, {"1.jpg": b"", "1.txt": content})
    problem = read_raw_tags(raw, "1.jpg").problem
    assert "1.txt" in problem and named in problem


def test_an_odd_encoding_is_read_and_said(tmp_path):
    raw = folder_of(tmp_path, {"1.jpg": b"", "1.txt": "pokémon, solo".encode("latin-1")})
    known = read_raw_tags(raw, "1.jpg")
    assert (known.tags, known.problem) == (["pokémon", "solo"], "")
    assert "Latin-1" in known.note


def test_all_sources_meet(tmp_path):
    side = json.dumps({"rating": "e", "score": 3, "tags": {"general": ["hat"]}})
    raw = folder_of(
        tmp_path, {"1.jpg": b"", "1.txt": "solo", "1.json": side, "2.jpg": b"", "2.json": side, "3.jpg": b""}
    )
    automatic = tmp_path / "auto"
    automatic.mkdir()
    (automatic / "1.jpg.txt").write_text("smile, rating:general", encoding="utf-8")
    (automatic / "3.jpg.txt").write_text("smile, rating:general", encoding="utf-8")
    known = [read_raw_tags(raw, name, automatic) for name in ("1.jpg", "2.jpg", "3.jpg")]
    assert [each.tags for each in known] == [
        ["solo", "smile", "rating:general"],
        ["hat"],
        ["smile", "rating:general"],
    ]
    assert known[0].every == ["solo", "hat", "smile", "rating:general", "rating:explicit"]
    assert [each.rating for each in known] == ["explicit", "explicit", "general"]
    assert read_raw_tags(raw, "3.jpg", tmp_path / "none").tags == []


@pytest.mark.parametrize(
    ("tags", "rating"),
    [
        (["rating:e"], "explicit"),
        (["rating: safe"], "general"),
        (["rating:s"], "sensitive"),
        (["rating:x"], ""),
        ([], ""),
    ],
)
def test_ratings_in_tag_files(tags, rating):
    assert rating_of(tags) == rating
