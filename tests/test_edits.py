"""The hand-written edits: what they say, and clear refusals."""

from __future__ import annotations

import pytest

from loramake.edits import Edit, read_edits
from loramake.errors import UserError

NAMES = ["1.jpg", "1.txt", "2.png", "it's тест.png"]


def read(tmp_path, text):
    path = tmp_path / "shimakaze.yaml"
    path.write_text(text, encoding="utf-8")
    return read_edits(path, NAMES)


@pytest.mark.parametrize("text", ["", "files:\n", "files: {}\n", "# nothing yet\n"])
def test_nothing_decided(tmp_path, text):
    assert read(tmp_path, text) == {}


def test_no_file(tmp_path):
    assert read_edits(None, NAMES) == {}
    assert read_edits(tmp_path / "none.yaml", NAMES) == {}


def test_everything(tmp_path):
    text = """
files:
  "1.jpg": {keep: true, crop: [0, 1, 20, 30], paint: [[1, 2, 3, 4], [5, 6, 7, 8]]}
  "2.png": {drop: bad hands, tier: good}
  "it's тест.png": {tags: {add: [Rabbit_Ears, 1980], drop: [smile]}}
"""
    assert read(tmp_path, text) == {
        "1.jpg": Edit(keep=True, crop=(0, 1, 20, 30), paint=((1, 2, 3, 4), (5, 6, 7, 8))),
        "2.png": Edit(drop="bad hands", tier="good"),
        "it's тест.png": Edit(add_tags=("rabbit ears", "1980"), drop_tags=("smile",)),
    }


def test_tags_are_edited_in_order():
    edit = Edit(add_tags=("a", "z"), drop_tags=("b",))
    assert edit.edit_tags(["a", "b", "c"]) == ["a", "c", "z"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("file: {}", "file"),
        ("- 1.jpg", "1.jpg"),
        ("files: [1.jpg]", "1.jpg"),
        ("files: {3.jpg: {keep: true}}", "3.jpg"),
        ("files: {1.jpeg: {keep: true}}", "1.jpg"),
        ("files: {7: {keep: true}}", "7"),
        ("files: {1.jpg: keep}", "keep"),
        ("files: {1.jpg: {kep: true}}", "kep"),
        ("files: {1.jpg: {kep: true}}", "keep?"),
        ("files: {1.txt: {keep: true}}", "1.jpg"),
        ("files: {2.jpg: {keep: true}}", "2.png"),
        ("files: {1.jpg: {tier: [good]}}", "tier of 1.jpg"),
        ("files: {1.jpg: {tier: ''}}", "tier of 1.jpg"),
        ("files: {1.jpg: {keep: 1}}", "1.jpg"),
        ("files: {1.jpg: {drop: true}}", "1.jpg"),
        ("files: {1.jpg: {drop: ''}}", "1.jpg"),
        ("files: {1.jpg: {keep: true, drop: no good}}", "1.jpg"),
        ("files: {1.jpg: {crop: [0, 0, 0, 5]}}", "crop of 1.jpg"),
        ("files: {1.jpg: {crop: [0, 0, 9.5, 5]}}", "crop of 1.jpg"),
        ("files: {1.jpg: {crop: [-1, 0, 9, 5]}}", "crop of 1.jpg"),
        ("files: {1.jpg: {paint: [1, 2, 3, 4]}}", "paint of 1.jpg"),
        ("files: {1.jpg: {paint: [[1, 2, 3]]}}", "paint of 1.jpg"),
        ("files: {1.jpg: {tags: [a]}}", "tags of 1.jpg"),
        ("files: {1.jpg: {tags: {add: a}}}", "tags.add of 1.jpg"),
        ("files: {1.jpg: {tags: {remove: [a]}}}", "tags of 1.jpg"),
        ("files: {1.jpg: {keep: true}, 1.jpg: {drop: x}}", "1.jpg"),
        ("files: {1.jpg: {keep: true}", "YAML"),
        ("\tfiles: x", "YAML"),
    ],
)
def test_refusals_name_file_and_fault(tmp_path, text, named):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert named in str(caught.value)
    assert "shimakaze.yaml" in str(caught.value)
