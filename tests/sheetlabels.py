"""What a sheet's labels cover."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from loramake import lettering

Box = tuple[float, float, float, float]  # left, top, right, bottom


def watch_labels(monkeypatch: pytest.MonkeyPatch) -> list[Box]:
    """A list that gets the place of every text drawn from now on."""
    boxes: list[Box] = []
    write = lettering.write

    def watched(draw, at, text, size, colour, *, anchor="lm", bold=False):
        if text:
            boxes.append(draw.textbbox(at, text, lettering.font_for(text, size), anchor=anchor))
        write(draw, at, text, size, colour, anchor=anchor, bold=bold)

    monkeypatch.setattr(lettering, "write", watched)
    return boxes


def assert_apart_and_inside(boxes: Sequence[Box], width: int, height: int) -> None:
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert 0 <= left and 0 <= top and right <= width and bottom <= height
        for other in boxes[:place]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart, (boxes[place], other)
