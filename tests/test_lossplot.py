"""The loss log as a picture."""

from __future__ import annotations

import pytest
from PIL import Image

from loramake.lossplot import draw_losses, read_log, smooth

ROWS = "".join(f"{s}\t{1 + (s - 1) // 10}\t{0.2 / s:.6f}\t0.001\t0.002\t1.0\n" for s in range(1, 31))
LOG = "step\tepoch\tloss\ttext_encoder_lr\tunet_lr\tgrad_norm\n" + ROWS


def test_log_and_mean(tmp_path):
    (tmp_path / "loss.tsv").write_text(LOG)
    log = read_log(tmp_path / "loss.tsv")
    assert log["step"] == [float(s) for s in range(1, 31)] and log["epoch"][10] == 2
    assert read_log(tmp_path / "none.tsv") == {}
    assert smooth([1, 2, 3, 6], 2) == pytest.approx([1, 1.5, 2.5, 4.5])


@pytest.mark.parametrize("text", [LOG, LOG.splitlines()[0] + "\n" + LOG.splitlines()[1] + "\n"])
def test_picture_with_and_without_validation(tmp_path, text):
    (tmp_path / "loss.tsv").write_text(text)
    draw_losses(tmp_path / "loss.tsv", tmp_path / "validation.tsv", tmp_path / "plain.png")
    (tmp_path / "validation.tsv").write_text("step\tepoch\tvalidation_loss\n0\t0\t0.3\n10\t1\t0.2\n30\t3\t0.25\n")
    draw_losses(tmp_path / "loss.tsv", tmp_path / "validation.tsv", tmp_path / "both.png")
    plain, both = (Image.open(tmp_path / f"{name}.png").convert("RGB") for name in ("plain", "both"))
    assert plain.size == both.size and min(plain.size) > 300
    orange = (255, 127, 14)
    assert orange in set(both.getdata()) and orange not in set(plain.getdata())
