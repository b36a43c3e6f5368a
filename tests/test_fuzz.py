"""Hostile input: damaged pictures and tag files, hostile names. Nothing crashes, all is named, raw files stay."""

from __future__ import annotations

import hashlib
import io
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rawfolder import picture, write_manifest
from tinytagger import write_tagger

from loramake import images, tags
from loramake.autotags import autotag_images
from loramake.captions import normalize_tags
from loramake.cleaning import clean_images
from loramake.folding import build_dataset
from loramake.rawfiles import RawFolder, pair_side_files, pair_tag_files
from loramake.rawtags import read_raw_tags
from loramake.regularisation import build_regularisation
from loramake.report import report_dataset
from loramake.screening import read_decisions, screen_images

SCREEN = {
    "reject_tags": ["comic"],
    "min_side": 8,
    "reject_aspect": 8.0,
    "near_duplicate_distance": 0,
    "require_tags": True,
}
CLEAN = {"max_aspect": 3.0, "alpha_visible_share": 0.001, "jpeg_quality": 90}
TAGS = {
    "tag": "shim", "trigger": "shim", "drop": [], "keep": [], "drop_costumes": True, "rename": {}, "tag_list": "",
    "drop_categories": [], "fold_implied": False, "implications": {},
}  # fmt: skip


def encode(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def originals() -> list[tuple[str, bytes]]:
    """Small pictures of every kind that is read."""
    plain, clear = picture(1, (20, 24)), picture(2, (20, 24), "RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray((np.asarray(plain.convert("L")).astype(np.uint16)) * 257)
    kinds = [
        ("png", encode(plain, "PNG")),
        ("png", encode(clear, "PNG")),
        ("png", encode(plain.quantize(8), "PNG")),
        ("png", encode(deep, "PNG")),
        ("png", encode(plain, "PNG", save_all=True, append_images=[picture(3, (20, 24))])),
        ("jpg", encode(plain, "JPEG", exif=exif)),
        ("jpeg", encode(plain, "JPEG", progressive=True)),
        ("jpg", encode(plain.convert("CMYK"), "JPEG")),
        ("webp", encode(plain, "WEBP")),
        ("webp", encode(clear, "WEBP", lossless=True)),
        ("gif", encode(plain, "GIF")),
        ("bmp", encode(plain, "BMP")),
    ]
    return kinds + ([("avif", encode(plain, "AVIF"))] if "AVIF" in images._FORMATS else [])


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat, overwrite or insert bytes, more often near the beginning, where sizes and kinds stand."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = int(len(data) * rng.random() ** 2)
        kind = rng.randrange(6)
        if kind == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place : place + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\xff\xff"))
        elif kind == 3:
            del data[place : place + rng.randrange(1, 9)]
        elif kind == 4:
            data[place:place] = rng.randbytes(rng.randrange(1, 9))
        else:
            data += data[place : place + 40]
        if not data:
            break
    return bytes(data)


def state(folder: Path) -> dict[str, str]:
    """Content hash of every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def run_stages(folder: Path, edits: Path | None = None, text: str = "ignore") -> list:
    """The dataset stages on `folder`/raw, written below `folder`/work; the decisions."""
    manifest = write_manifest(folder / "raw")
    work = folder / "work"
    screen = work / "screen.tsv"
    decisions = screen_images(
        manifest, edits, screen, work / "cache" / "screen", **SCREEN,
        out_summary=work / "summary.tsv", out_sheet=work / "sheet.png", threads=2,
    )  # fmt: skip
    clean_images(manifest, screen, edits, work / "clean", work / "cache" / "clean", **CLEAN, text=text, threads=2)
    tables = work / "tags.tsv", work / "captions.tsv"
    normalize_tags(manifest, screen, work / "clean", edits, None, work / "tags", *tables, **TAGS)
    build_dataset(
        manifest, screen, work / "clean", work / "tags", edits, work / "dataset",
        trigger="shim", repeats=1, target_steps=1, max_train_epochs=1, tiers={},
    )  # fmt: skip
    return decisions


def run_the_rest(folder: Path, edits: Path | None, tagger: dict[str, str]) -> None:
    """What else reads raw pictures: the tagger, regularisation, and the report; on top of `run_stages`."""
    manifest, work = folder / "raw.json", folder / "work"
    autotag_images(
        manifest, work / "autotags", work / "cache" / "autotags", **tagger, general_threshold=0.3,
        character_threshold=0.8, batch_size=4, pictures="all", device="cpu", threads=2,
    )  # fmt: skip
    build_regularisation(manifest, work / "reg", reg_class="1girl", reg_repeats=1, threads=2)
    report_dataset(
        manifest, work / "screen.tsv", work / "summary.tsv", edits, work / "clean", work / "tags.tsv",
        work / "captions.tsv", work / "dataset", work / "report.html", work / "cache" / "report", character="shim",
        tag="shim", resolution=64, enable_bucket=True, min_bucket_reso=32, max_bucket_reso=128, bucket_reso_steps=32,
        bucket_no_upscale=False, train_batch_size=1, max_train_epochs=1, max_token_length="auto", flat_backgrounds=0.5,
        one_sided=0.75, rare_costume=3, autotags=work / "autotags", threads=2,
    )  # fmt: skip


def test_five_hundred_damaged_pictures(tmp_path):
    rng = random.Random(20)
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "0.png").write_bytes(encode(picture(9, (20, 24)), "PNG"))
    (raw / "0.txt").write_text("1girl", encoding="utf-8")
    kinds = originals()
    for number in range(1, 521):
        suffix, content = kinds[number % len(kinds)]
        (raw / f"{number}.{suffix}").write_bytes(mutate(content, rng))
        (raw / f"{number}.txt").write_text("1girl", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    tagger = write_tagger(tmp_path / "tagger")
    before, started = state(tmp_path), time.process_time()
    decisions = run_stages(tmp_path)
    run_the_rest(tmp_path, None, tagger)
    # no hang: 520 tiny files cost seconds
    assert time.process_time() - started < 60
    after = state(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} <= {"work", "raw.json"}
    assert [each.file for each in read_decisions(tmp_path / "work" / "screen.tsv")] == [each.file for each in decisions]
    assert {each.file for each in decisions} == {path.name for path in raw.iterdir() if path.suffix != ".txt"}
    assert all(each.rule and each.reason for each in decisions if not each.keep)
    refused = {each.file for each in decisions if each.rule == "unreadable"}
    assert len(refused) > 100
    for each in decisions:
        if each.file not in refused:
            images.load(raw / each.file)


def test_five_hundred_damaged_tag_files(tmp_path):
    rng = random.Random(21)
    plain = "1girl, long_hair, shimakaze \\(azur lane\\), ^_^, rating:g,\r\nsmile & more, café, \U0001f600"
    contents = [plain.encode(code) for code in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32")]
    contents += [b'{"rating": "g", "score": 3, "tags": {"general": ["long_hair"]}}']
    names = []
    for number in range(560):
        content = mutate(contents[number % len(contents)], rng)
        end = "json" if number % len(contents) == len(contents) - 1 else "txt"
        (tmp_path / f"{number}.{end}").write_bytes(content)
        names += [f"{number}.jpg", f"{number}.{end}"]
    raw = RawFolder(tmp_path, tuple(names), pair_tag_files(names), pair_side_files(names))
    before, named = state(tmp_path), 0
    for name in raw.pictures:
        known = read_raw_tags(raw, name)
        for tag in known.tags:
            assert tag == tags.normalize(tag) or "\\" in tag or "&" in tag or "_" in tag
            assert tag.strip() == tag != "" and not set(tag) & set(",\r\n\0")
        fault = known.problem or known.note
        assert not fault or Path(name).stem in fault
        named += bool(fault)
    assert named > 100
    assert state(tmp_path) == before


NAMES = [
    "it's.png", 'a "quoted" one.jpg', "with  spaces .png", "😀🎀.webp", "a..b.png", "..%2f..%2fescape.png", "-rf.png",
    "--help.jpg", "~.png", "$HOME.png", "`id`.png", "a;b&c|d.png", "*?.png", "{character}.png", "тест 試験.jpg", "%s%n.png",
    "x" * 196 + ".png", "Case.png", "case.png", "CASE.jpg", "a\nb\tc.png", "con.png", "trailing dot..png", "#1, two.png",
    "\u202egnp.exe.png", "e\u0301.png", "é.png", "\\back\\slash.png", "9" * 30 + ".png", "²³.png",
    # the longest names that a file system takes, alike up to their end
    "\N{CYRILLIC SMALL LETTER EL}" * 125 + ".jpg", "\N{CYRILLIC SMALL LETTER EL}" * 124 + "a.jpg",
]  # fmt: skip


def test_hostile_names_go_through_all_stages(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (tmp_path / "escape.png").write_bytes(b"mine")
    for seed, name in enumerate(NAMES):
        suffix = Path(name).suffix[1:]
        form = {"jpg": "JPEG", "webp": "WEBP"}.get(suffix, "PNG")
        (raw / name).write_bytes(encode(picture(seed, (20, 24)), form))
        (raw / f"{name.removesuffix(f'.{suffix}')}.txt").write_text("1girl, smile", encoding="utf-8")
    tagger = write_tagger(tmp_path / "tagger")
    before = state(tmp_path)
    decisions = {each.file: each for each in run_stages(tmp_path)}
    run_the_rest(tmp_path, None, tagger)
    after = state(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} <= {"work", "raw.json"}
    assert set(decisions) - {"..%2f..%2fescape.txt"} == set(NAMES)
    dropped = {name: decisions[name].rule for name in NAMES if not decisions[name].keep}
    assert dropped.pop("..%2f..%2fescape.png") == "stray"
    assert set(dropped.values()) == {"same name"}
    assert len(dropped.keys() & {"Case.png", "case.png", "CASE.jpg"}) == 2
    pairs = [path for path in (tmp_path / "work" / "dataset" / "1_shim").iterdir() if path.suffix != ".txt"]
    assert len(pairs) == len(NAMES) - 1 - len(dropped)
    assert all(
        path.with_name(f"{path.stem}.txt").read_text(encoding="utf-8") == "shim, 1girl, smile\n" for path in pairs
    )


def test_raw_files_are_only_read(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    clear, long = picture(2, (40, 48), "RGBA"), picture(5, (200, 30))
    files = {
        "1.png": picture(1, (40, 48)),
        "2.png": clear,
        "3.jpg": picture(3, (40, 48)),
        "4.webp": clear,
        "5.png": long,
    }
    for name, image in files.items():
        image.save(raw / name)
    files = {name: "1girl, transparent_background" for name in ("1.txt", "2.txt", "3.txt", "4.txt", "5.txt")}
    for name, text in {**files, "1.json": '{"score": 1}', "6.mp4": "", "7.jpg": "<html>"}.items():
        (raw / name).write_text(text, encoding="utf-8")
    edits = tmp_path / "edits.yaml"
    edits.write_text("files: {1.png: {paint: [[0, 0, 9, 9]]}, 3.jpg: {crop: [0, 0, 30, 30], tags: {add: [hat]}}}")
    for path in raw.iterdir():
        path.chmod(0o444)
    raw.chmod(0o555)
    try:
        before = {
            path.name: (state(raw)[path.name], path.stat().st_mtime_ns, path.stat().st_ino) for path in raw.iterdir()
        }
        for _ in range(2):
            assert sum(each.keep for each in run_stages(tmp_path, edits, text="paint")) == 5
            run_the_rest(tmp_path, edits, write_tagger(tmp_path / "tagger"))
        now = state(raw)
        assert {
            path.name: (now[path.name], path.stat().st_mtime_ns, path.stat().st_ino) for path in raw.iterdir()
        } == before
        # never hard-linked either: what edits a link would edit the download
        assert all(path.stat().st_nlink == 1 for path in raw.iterdir())
    finally:
        raw.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission_are_named(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in (1, 2, 3):
        picture(number, (20, 24)).save(raw / f"{number}.png")
        (raw / f"{number}.txt").write_text("1girl", encoding="utf-8")
    (raw / "1.png").chmod(0)
    (raw / "2.txt").chmod(0)
    decided = {each.file: each for each in run_stages(tmp_path)}
    assert [name for name, each in decided.items() if each.keep] == ["3.png"]
    assert "2.txt" in decided["2.png"].reason
