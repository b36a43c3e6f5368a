"""Atomic writes: a failed one leaves the old file, no litter, and a plain message."""

from __future__ import annotations

import errno

import pytest

from loramake import files
from loramake.errors import UserError


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(ValueError, match="midway"), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ValueError("midway")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "full"), (errno.EROFS, "permission")])
@pytest.mark.parametrize("atomic", [files.atomic_path, files.atomic_folder])
def test_disk_trouble_is_said_plainly(tmp_path, atomic, number, word):
    with pytest.raises(UserError, match=word) as caught, atomic(tmp_path / "a"):
        raise OSError(number, "no")
    assert caught.value.file == tmp_path
    assert not list(tmp_path.iterdir())


def test_an_unchanged_text_keeps_its_time_stamp(tmp_path):
    path = tmp_path / "a.txt"
    assert files.write_if_changed(path, "x")
    before = path.stat().st_mtime_ns
    assert not files.write_if_changed(path, "x")
    assert path.stat().st_mtime_ns == before
    assert files.write_if_changed(path, "y")


def test_link_or_copy_replaces_what_is_there(tmp_path):
    source, target = tmp_path / "a", tmp_path / "deep" / "b"
    source.write_text("new")
    target.parent.mkdir()
    target.write_text("old")
    for _ in range(2):
        files.link_or_copy(source, target)
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_equal_values_hash_alike():
    assert files.hash_value({"a": 1, "b": [2]}) == files.hash_value({"b": [2], "a": 1})
    assert files.hash_value({"a": 1}) != files.hash_value({"a": 2})
