"""Content hashes are remembered, and never trusted too long."""

from __future__ import annotations

import os

from loramake import stamps
from loramake.files import hash_file


def test_only_changed_files_are_read(tmp_path, monkeypatch):
    files = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for file in files:
        file.write_bytes(file.name.encode())
    index = tmp_path / "index" / "contents.json"
    read = []
    monkeypatch.setattr(stamps, "hash_file", lambda path: read.append(path.name) or hash_file(path))
    first = stamps.hash_files(files, index, threads=2)
    assert first == {file.name: hash_file(file) for file in files}
    assert stamps.hash_files(files, index, threads=2) == first
    assert sorted(read) == ["a.bin", "b.bin"]
    # same size, other content
    files[0].write_bytes(b"A.bin")
    os.utime(files[0], ns=(1, 1))
    assert stamps.hash_files(files, index, threads=1)["a.bin"] == hash_file(files[0])
    assert read[2:] == ["a.bin"]


def test_lost_damaged_or_missing(tmp_path):
    file, index = tmp_path / "a.bin", tmp_path / "contents.json"
    file.write_bytes(b"x")
    index.write_text("{ damaged")
    assert stamps.hash_files([file, tmp_path / "gone"], index, threads=1) == {"a.bin": hash_file(file)}
