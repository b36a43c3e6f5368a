"""Buckets against kohya's own figures."""

from __future__ import annotations

import json

import pytest
from vectors import vectors

from loramake.buckets import aspect_error, assign, make_buckets
from loramake.errors import UserError


def test_lists_are_kohyas():
    for case in json.loads((vectors() / "bucket_lists.json").read_text()):
        made = make_buckets(tuple(case["resolution"]), case["min"], case["max"], case["steps"])
        assert made == [tuple(bucket) for bucket in case["buckets"]]


@pytest.mark.parametrize("no_upscale", [False, True])
def test_placements_are_kohyas(no_upscale):
    recorded = json.loads((vectors() / "buckets_512.json").read_text())
    for case in recorded["no_upscale" if no_upscale else "upscale"]:
        size = tuple(case["image"])
        placed = assign(size, resolution=(512, 512), no_upscale=no_upscale)
        assert [list(placed.bucket), list(placed.resized), list(placed.crop_offset)] == [
            case["bucket"],
            case["resized"],
            case["crop_left_top"],
        ], size
        assert aspect_error(size, placed) == pytest.approx(case["ar_error"], abs=1e-12)


def test_without_buckets_all_go_to_the_resolution():
    placed = assign((800, 400), resolution=(512, 512), enable_bucket=False)
    assert (placed.bucket, placed.resized, placed.crop_offset) == ((512, 512), (1024, 512), (256, 0))


@pytest.mark.parametrize("size", [(63, 400), (400, 63), (10000, 40)])
def test_too_narrow_without_upscaling_is_refused(size):
    with pytest.raises(UserError, match="bucket_no_upscale"):
        assign(size, resolution=(512, 512), no_upscale=True)


@pytest.mark.parametrize(("resolution", "low", "high"), [((32, 512), 256, 1024), ((512, 512), 768, 512)])
def test_impossible_lists_are_refused(resolution, low, high):
    with pytest.raises(UserError):
        make_buckets(resolution, low, high, 64)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (4096, 17), (511, 513)])
def test_every_picture_covers_its_bucket(size):
    placed = assign(size, resolution=(512, 512))
    assert all(
        0 <= offset and offset + side <= whole
        for offset, side, whole in zip(placed.crop_offset, placed.bucket, placed.resized, strict=True)
    )
