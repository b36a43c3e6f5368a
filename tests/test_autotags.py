"""Automatic tags: for which pictures, kept how long, written how."""

from __future__ import annotations

import pytest
from PIL import Image
from rawfolder import write_manifest, write_raw
from tinytagger import LABELS, write_tagger

from loramake import autotags as stage
from loramake.autotags import autotag_images, read_autotags
from loramake.errors import UserError
from loramake.rawfiles import read_raw_folder
from loramake.rawtags import read_raw_tags

RED, BLUE = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
FILES = {
    "1.png": RED, "1.txt": "1girl, solo",
    "2.png": BLUE,
    "3.jpg": RED, "3.txt": " ,\n",
    "4.png": b"broken",
    "5.png": Image.new("RGBA", (40, 40), (0, 0, 0, 0)),
    "film.mp4": b"no picture",
}  # fmt: skip


@pytest.fixture
def looks(monkeypatch):
    """How many pictures each call of the model was given."""
    counts = []
    score = stage.Tagger.score

    def counted(self, pictures, floor):
        counts.append(len(pictures))
        return score(self, pictures, floor)

    monkeypatch.setattr(stage.Tagger, "score", counted)
    return counts


@pytest.fixture
def run(tmp_path):
    manifest = write_raw(tmp_path / "raw", FILES)
    made = write_tagger(tmp_path / "tagger")

    def call(**changes):
        settings = {"general_threshold": 0.35, "character_threshold": 0.85, "batch_size": 2, "pictures": "missing",
                    "device": "cpu", **made, **changes}  # fmt: skip
        return autotag_images(manifest, tmp_path / "out", tmp_path / "cache", **settings)

    return call


def test_only_pictures_without_tags(run, tmp_path, looks):
    assert run() == {
        "2.png": ["amatsukaze (azur lane)", "blue theme", "1girl", "^_^", "rating:general"],
        "3.jpg": ["amatsukaze (azur lane)", "red theme", "1girl", "^_^", "rating:general"],
        "5.png": ["amatsukaze (azur lane)", "white background", "1girl", "^_^", "rating:general"],
    }
    assert looks == [2, 1]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"2.png.txt", "3.jpg.txt", "5.png.txt"}
    assert (
        tmp_path / "out/2.png.txt"
    ).read_text() == "amatsukaze (azur lane), blue theme, 1girl, ^_^, rating:general\n"
    assert read_autotags(tmp_path / "out") == run()
    assert read_autotags(None) == read_autotags(tmp_path / "nowhere") == {}


def test_the_longest_names_have_tags_too(tmp_path):
    names = [f"{'x' * 250}{end}.png" for end in "ab"]
    manifest = write_raw(tmp_path / "raw", {name: Image.new("RGB", (40, 40), "red") for name in names})
    settings = {"general_threshold": 0.35, "character_threshold": 0.85, "batch_size": 2, "pictures": "missing"}
    autotag_images(manifest, tmp_path / "out", tmp_path / "cache", **settings, **write_tagger(tmp_path / "tagger"))
    raw = read_raw_folder(manifest)
    assert all("red theme" in read_raw_tags(raw, name, tmp_path / "out").automatic for name in names)


def test_all_pictures_on_request(run):
    assert set(run(pictures="all")) == {"1.png", "2.png", "3.jpg", "5.png"}


def test_thresholds_cost_no_second_look(run, looks):
    run()
    found = run(general_threshold=0.5, character_threshold=0.7, batch_size=4)
    assert found["2.png"] == [
        "amatsukaze (azur lane)",
        "shimakaze (azur lane)",
        "blue theme",
        "1girl",
        "rating:general",
    ]
    assert sum(looks) == 3


def test_only_new_pictures_are_looked_at(run, tmp_path, looks):
    run()
    BLUE.resize((50, 50)).save(tmp_path / "raw/6.png")
    (tmp_path / "raw/2.png").unlink()
    write_manifest(tmp_path / "raw")
    assert set(run()) == {"3.jpg", "5.png", "6.png"}
    assert sum(looks) == 4
    assert len(list((tmp_path / "cache").glob("*-*.json"))) == 3  # what is gone is forgotten


def test_another_model_looks_again(run, tmp_path, looks):
    run()
    other = write_tagger(tmp_path / "other", labels=[*LABELS, ("solo", 0, (0, 0, 0), 0.5)])
    assert "solo" in run(**other)["2.png"]
    assert sum(looks) == 6


def test_a_damaged_memory_is_made_anew(run, tmp_path):
    expected = run()
    for file in (tmp_path / "cache").glob("*.json"):
        file.write_text("{")
    assert run() == expected


def test_a_model_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(UserError, match="autotag.model"):
        run(model=str(tmp_path / "none.onnx"))
