"""Every raw file gets a decision with a reason."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image
from rawfolder import picture, write_manifest, write_raw

from loramake import survey as surveys
from loramake.errors import UserError
from loramake.screening import kept_files, read_decisions, screen_images

SETTINGS = {
    "reject_tags": ["comic", "2girls", "* (cosplay)", "1girl & 1boy"],
    "min_side": 40,
    "reject_aspect": 8.0,
    "near_duplicate_distance": 24,
    "require_tags": True,
}


def screen(tmp_path, files, edits="", automatic=None, **settings):
    manifest = write_raw(tmp_path / "raw", files)
    (tmp_path / "edits.yaml").write_text(edits, encoding="utf-8")
    for name, text in (automatic or {}).items():
        (tmp_path / "autotags").mkdir(exist_ok=True)
        (tmp_path / "autotags" / f"{name}.txt").write_text(text, encoding="utf-8")
    out = tmp_path / "work" / "screen" / "x.tsv"
    settings = {**SETTINGS, "autotags": tmp_path / "autotags", **settings}
    screen_images(manifest, tmp_path / "edits.yaml", out, tmp_path / "cache", **settings)
    return {each.file: (each.keep, each.rule) for each in read_decisions(out)}


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_every_rule_and_every_stray(tmp_path):
    whole = encoded(picture(7, (200, 200)), "PNG")
    decided = screen(
        tmp_path,
        {
            "1.png": picture(1), "1.txt": "1girl, smile",
            "2.jpg": picture(2), "2.txt": "1girl, comic",
            "3.png": picture(3), "3.txt": "1girl, miku_(cosplay)",
            "4.png": picture(4), "4.txt": "1girl, 1boy",
            "5.png": picture(5, (39, 200)), "5.txt": "1girl",
            "6.png": picture(6, (400, 41)), "6.txt": "1girl",
            "7.png": whole[: len(whole) // 2], "7.txt": "1girl",
            "8.jpg": b"<!DOCTYPE html><html></html>", "8.txt": "1girl",
            "9.gif": encoded(picture(9), "GIF", save_all=True, append_images=[picture(10)]), "9.txt": "1girl",
            "10.png": picture(11),
            "11.png": picture(12), "11.txt": " , ",
            "12.webm": b"\x1a\x45\xdf\xa3", "12.txt": "1girl, video",
            "13.txt": "1girl", "14.zip": b"PK", "15.json": "{}",
            "16.png": picture(16), "16.txt": "1girl, loli",
            "17.png": picture(17), "17.png.txt": "1girl",
        },
    )  # fmt: skip
    assert decided == {
        "1.png": (True, ""),
        "2.jpg": (False, "tags"),
        "3.png": (False, "tags"),
        "4.png": (False, "tags"),
        "5.png": (False, "too small"),
        "6.png": (False, "aspect"),
        "7.png": (False, "unreadable"),
        "8.jpg": (False, "unreadable"),
        "9.gif": (False, "animated"),
        "10.png": (False, "missing tags"),
        "11.png": (False, "missing tags"),
        "12.webm": (False, "stray"),
        "12.txt": (False, "stray"),
        "13.txt": (False, "stray"),
        "14.zip": (False, "stray"),
        "15.json": (False, "stray"),
        "16.png": (False, "minors"),
        "17.png": (True, ""),
    }
    assert kept_files(tmp_path / "work" / "screen" / "x.tsv") == ["1.png", "17.png"]


def test_a_picture_of_one_colour_is_blank_once_it_stands_on_white(tmp_path):
    ghost = Image.new("RGBA", (80, 80), (255, 255, 255, 0))
    ghost.paste((255, 255, 255, 200), (10, 10, 60, 60))
    dot = Image.new("RGB", (80, 80), "white")
    dot.paste("black", (40, 40, 44, 44))
    files = {
        "1.png": ghost,
        "2.png": Image.new("RGB", (80, 80), "red"),
        "3.png": dot,
        "4.png": Image.new("L", (80, 80)),
    }
    files |= {f"{number}.txt": "1girl" for number in (1, 2, 3, 4)}
    decided = screen(tmp_path, files, edits="files: {4.png: {keep: true}}")
    assert decided == {
        "1.png": (False, "blank"), "2.png": (False, "blank"), "3.png": (True, ""), "4.png": (True, "edits"),
    }  # fmt: skip


def test_the_tag_file_of_a_film_is_said_to_be_its(tmp_path):
    files = {
        "1.png": picture(1),
        "1.txt": "1girl",
        "film.mp4": b"x",
        "film.txt": "1girl",
        "a.tif": b"x",
        "a.tif.json": "{}",
    }
    screen(tmp_path, {**files, "alone.txt": "1girl"})
    reasons = {each.file: each.reason for each in read_decisions(tmp_path / "work/screen/x.tsv")}
    assert ".mp4" in reasons["film.txt"]
    assert ".tif" in reasons["a.tif.json"]
    assert "without picture" in reasons["alone.txt"]


def test_duplicates_keep_the_largest(tmp_path):
    large = picture(1, (300, 400))
    files = {
        "1.png": large.resize((150, 200), Image.Resampling.LANCZOS),
        "2.png": large,
        "3.jpg": large.resize((200, 267)),
        "4.png": encoded(large, "PNG"),
        "5.png": picture(5, (300, 400)),
    }
    files |= {f"{number}.txt": "1girl" for number in range(1, 6)}
    decided = screen(tmp_path, files)
    assert decided == {
        "1.png": (False, "near-duplicate"),
        "2.png": (True, ""),
        "3.jpg": (False, "near-duplicate"),
        "4.png": (False, "duplicate"),
        "5.png": (True, ""),
    }
    decided = screen(tmp_path, files, edits='files: {"1.png": {keep: true}}')
    assert [name for name, (keep, _) in decided.items() if keep] == ["1.png", "5.png"]
    decided = screen(tmp_path, files, near_duplicate_distance=0)
    assert [name for name, (keep, _) in decided.items() if not keep] == ["4.png"]


def test_one_tag_file_serves_one_picture(tmp_path):
    files = {
        "1.png": picture(1),
        "1.jpg": picture(2, (80, 110)),
        "1.txt": "1girl",
        "A.png": picture(3),
        "a.png": picture(4),
    }
    files |= {"A.txt": "1girl", "a.txt": "1girl"}
    decided = screen(tmp_path, files)
    assert [name for name, (_, rule) in decided.items() if rule == "same name"] == ["1.png", "a.png"]


def test_edits_win_over_all_but_two(tmp_path):
    files = {
        "1.png": picture(1), "1.txt": "1girl, comic",
        "2.png": picture(2), "2.txt": "1girl, loli",
        "3.png": b"<html>", "3.txt": "1girl",
        "4.png": picture(4), "4.txt": "1girl",
        "5.png": picture(5), "5.txt": "1girl, comic",
        "6.png": picture(6, (20, 30)),
    }  # fmt: skip
    edits = """files:
  1.png: {keep: true}
  2.png: {keep: true, tags: {drop: [loli]}}
  3.png: {keep: true}
  4.png: {drop: "a fan's nose"}
  5.png: {tags: {drop: [comic]}}
  6.png: {keep: true}
"""
    assert screen(tmp_path, files, edits) == {
        "1.png": (True, "edits"),
        "2.png": (False, "minors"),
        "3.png": (False, "unreadable"),
        "4.png": (False, "edits"),
        "5.png": (True, ""),
        "6.png": (True, "edits"),
    }


def test_tags_may_be_missing_where_a_tagger_follows(tmp_path):
    assert screen(tmp_path, {"1.png": picture(1)}, require_tags=False) == {"1.png": (True, "")}


def test_nothing_left_names_the_rules(tmp_path):
    files = {"1.png": picture(1), "1.txt": "comic", "2.png": picture(2), "3.mp4": b""}
    with pytest.raises(UserError) as caught:
        screen(tmp_path, files)
    table = tmp_path / "cache" / "nothing_left.tsv"
    for part in ("tags 1", "missing tags 1", "stray 1", str(table)):
        assert part in str(caught.value)
    assert {each.file for each in read_decisions(table)} == {"1.png", "2.png", "3.mp4"}


def test_odd_names_survive(tmp_path):
    names = ["it's тест.png", " leading.png", "-n.png", "a\tb\nc.png", '"quoted".png', "😀.png", "x" * 200 + ".png"]
    files = {}
    for seed, name in enumerate(names):
        files |= {name: picture(seed), f"{name[:-4]}.txt": "1girl"}
    assert {name for name, (keep, _) in screen(tmp_path, files).items() if keep} == set(names)


def test_only_new_content_is_looked_at(tmp_path, monkeypatch):
    files = {f"{number}.png": picture(number) for number in range(1, 5)}
    first = screen(tmp_path, files, require_tags=False)
    looked = []
    plain = surveys._look
    monkeypatch.setattr(surveys, "_look", lambda path, *rest: looked.append(path.name) or plain(path, *rest))
    os.utime(tmp_path / "raw" / "2.png")
    assert screen(tmp_path, {"3.png": picture(30)}, require_tags=False) == first
    assert looked == ["3.png"]
    (tmp_path / "raw" / "1.png").unlink()
    write_manifest(tmp_path / "raw")
    assert list(screen(tmp_path, {}, require_tags=False)) == ["2.png", "3.png", "4.png"]
    assert looked == ["3.png"]
    assert len(list((tmp_path / "cache" / "thumbnails").iterdir())) == 3


def test_automatic_tags_stand_beside_the_written_ones(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(1, 6)} | {"4.txt": "child", "5.txt": "1girl"}
    automatic = {"1.png": "1girl, solo", "2.png": "2girls", "4.png": "nude"}
    assert screen(tmp_path, files, edits="files: {4.png: {keep: true}}", automatic=automatic) == {
        "1.png": (True, ""),
        "2.png": (False, "tags"),
        "3.png": (False, "missing tags"),
        "4.png": (False, "minors"),
        "5.png": (True, ""),
    }
    decisions = read_decisions(tmp_path / "work" / "screen" / "x.tsv")
    assert "tagger" in next(each.reason for each in decisions if each.file == "2.png")


def test_nothing_saves_a_copy_of_what_the_minors_rule_rejects(tmp_path):
    original = picture(1, (300, 400))
    files = {
        "1.png": original, "1.txt": "loli",
        "2.png": encoded(original, "PNG"), "2.txt": "1girl",
        "3.png": original.resize((330, 440)), "3.txt": "1girl",
        "4.png": picture(4, (300, 400)), "4.txt": "1girl",
    }  # fmt: skip
    edits = "files: {2.png: {keep: true}, 3.png: {keep: true}}"
    decided = screen(tmp_path, files, edits)
    assert decided == {f"{n}.png": (False, "minors") for n in (1, 2, 3)} | {"4.png": (True, "")}


def test_ratings_come_from_tags_or_side_files(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(1, 5)}
    files |= {"1.txt": "1girl, rating:explicit", "2.txt": "1girl", "3.txt": "1girl, rating:g", "4.txt": "1girl"}
    files |= {"2.json": '{"rating": "q"}', "4.json": '{"rating": "nothing known"}'}
    decided = screen(tmp_path, files, ratings=["general"])
    assert [name for name, (keep, _) in decided.items() if keep] == ["3.png", "4.png"]
    assert {rule for keep, rule in decided.values() if not keep} == {"rating"}
    assert all(keep for keep, _ in screen(tmp_path, {}, ratings=["general", "questionable", "explicit"]).values())


def test_of_equal_copies_the_best_liked_stays(tmp_path):
    large = picture(1, (300, 400))
    files = {"1.png": large, "2.jpg": encoded(large, "JPEG", quality=90), "3.png": encoded(large, "PNG")}
    files |= {f"{number}.txt": "1girl" for number in (1, 2, 3)}
    files |= {"1.json": '{"score": 3}', "2.json": '{"score": 40}'}
    decided = screen(tmp_path, files)
    assert [name for name, (keep, _) in decided.items() if keep] == ["2.jpg"]


def test_bad_tag_files_are_named(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(1, 4)}
    files |= {"1.txt": b"1girl\x00\x01\x07", "2.txt": "1girl, café".encode("latin-1"), "3.txt": "1girl"}
    decided = screen(tmp_path, files, edits="files: {1.png: {keep: true}}")
    assert decided == {"1.png": (False, "unreadable"), "2.png": (True, ""), "3.png": (True, "")}
    reasons = {each.file: each.reason for each in read_decisions(tmp_path / "work" / "screen" / "x.tsv")}
    assert "1.txt" in reasons["1.png"] and "2.txt" in reasons["2.png"]


def test_summary_counts_what_each_rule_dropped(tmp_path):
    files = {f"{number}.png": picture(number) for number in range(1, 6)}
    files |= {"1.txt": "comic", "2.txt": "comic", "3.txt": "2girls", "4.txt": "1girl", "6.mp4": b""}
    out = tmp_path / "work" / "x.summary.tsv"
    screen(tmp_path, files, out_summary=out, out_sheet=tmp_path / "work" / "x.png")
    assert [row.split("\t") for row in out.read_text(encoding="utf-8").splitlines()[1:]] == [
        ["kept", "", "1"],
        ["missing tags", "no tag file, or nothing in it", "1"],
        ["tags", "comic", "2"],
        ["tags", "2girls", "1"],
        ["stray", "a video", "1"],
    ]
    with Image.open(tmp_path / "work" / "x.png") as sheet:
        sheet.load()
