"""Repeat folders, order and captions of an epoch."""

from __future__ import annotations

from collections import Counter

import pytest

from loramake.errors import UserError
from loramake.trainset import count_batches, epoch_batches, epoch_caption, read_pictures


def test_folders_and_captions(tmp_path, capsys):
    for name in ("6_shim", "10_shim b", "notes", "0_off"):
        (tmp_path / name).mkdir()
    for stem in ("1", "2", "10"):
        (tmp_path / "6_shim" / f"{stem}.png").touch()
    (tmp_path / "6_shim" / "1.txt").write_bytes(b"\xef\xbb\xbf  shim, 1girl \r\nsecond line")
    (tmp_path / "6_shim" / "2.txt").touch()
    (tmp_path / "10_shim b" / "a.jpg").touch()
    (tmp_path / "0_off" / "a.jpg").touch()
    pictures = read_pictures(tmp_path)
    assert [(p.key, p.caption, p.repeats) for p in pictures] == [
        ("6_shim/1", "shim, 1girl", 6),
        ("6_shim/2", "", 6),
        ("6_shim/10", "shim", 6),
        ("10_shim b/a", "shim b", 10),
    ]
    assert "notes" in capsys.readouterr().out


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(UserError):
        read_pictures(tmp_path)


def test_batches_of_an_epoch():
    buckets = [(64, 64)] * 5 + [(32, 96)] * 2
    repeats = [3] * 7
    batches = epoch_batches(buckets, repeats, batch_size=4, seed=1, epoch=1)
    assert len(batches) == count_batches(buckets, repeats, 4) == 4 + 2
    shown = Counter(item for batch in batches for item in batch)
    assert len(shown) == 21 and set(shown.values()) == {1}
    assert all(len({buckets[item.index] for item in batch}) == 1 for batch in batches)
    assert sorted(len(b) for b in batches) == [2, 3, 4, 4, 4, 4]
    assert batches == epoch_batches(buckets, repeats, batch_size=4, seed=1, epoch=1)
    for other in ({"seed": 2, "epoch": 1}, {"seed": 1, "epoch": 2}):
        assert batches != epoch_batches(buckets, repeats, batch_size=4, **other)


def caption(text, **changes):
    options = {
        "keep_tokens": 1,
        "shuffle": True,
        "dropout_rate": 0,
        "tag_dropout_rate": 0,
        "seed": 1,
        "epoch": 1,
        "item": "a/0",
    }
    return epoch_caption(text, **(options | changes))


TEXT = "shim,  " + ", ".join(f"tag {i}" for i in range(12))


def test_shuffle_keeps_the_first_tags():
    shuffled = caption(TEXT)
    tags = shuffled.split(", ")
    assert tags[0] == "shim" and sorted(tags) == sorted(t.strip() for t in TEXT.split(","))
    assert shuffled == caption(TEXT) != caption(TEXT, epoch=2)
    assert caption(TEXT, keep_tokens=13).split(", ")[1:] == [f"tag {i}" for i in range(12)]


def test_without_shuffle_the_text_stays_as_it_is():
    assert caption(TEXT, shuffle=False) == TEXT


def test_dropout_rates():
    items = [str(i) for i in range(600)]
    dropped = [caption(TEXT, dropout_rate=0.25, item=i) == "" for i in items]
    assert sum(dropped) / 600 == pytest.approx(0.25, abs=0.07)
    kept = [caption(TEXT, tag_dropout_rate=0.5, item=i).split(", ") for i in items]
    assert all(tags[0] == "shim" for tags in kept)
    assert sum(len(tags) - 1 for tags in kept) / 600 / 12 == pytest.approx(0.5, abs=0.05)
