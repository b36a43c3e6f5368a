"""Reading pictures of all kinds, and fitting them into buckets."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from rawfolder import picture
from vectors import vectors

from loramake import images
from loramake.buckets import Placement, assign


def test_resizing_is_kohyas():
    recorded = np.load(vectors() / "resize_pixels_res128.npz")
    names = [name for name in recorded if name.startswith("in_")]
    assert names
    for name in names:
        source, expected = recorded[name], recorded[name.replace("in_", "out_")]
        size = (source.shape[1], source.shape[0])
        placed = assign(size, resolution=(128, 128), min_reso=64, max_reso=256)
        assert np.array_equal(images.resize_to_bucket(source, placed, enlarge="area"), expected), name
        if min(size) > 128:
            assert np.array_equal(images.resize_to_bucket(source, placed), expected), name


def test_enlarging_is_smooth_unless_asked():
    rgb = np.asarray(picture(1, (30, 40)))
    placed = Placement((64, 64), (64, 85), (0, 10))
    smooth = images.resize_to_bucket(rgb, placed)
    assert smooth.shape == (64, 64, 3)
    assert not np.array_equal(smooth, images.resize_to_bucket(rgb, placed, enlarge="area"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(1, (40, 20)).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = ImageOps.exif_transpose(image)
    header = images.read_header(tmp_path / "a.png")
    assert header.size == expected.size
    assert header.plain == (orientation == 1)
    assert np.array_equal(images.load_rgb(tmp_path / "a.png"), np.asarray(expected))


def test_damaged_exif_is_passed_over(tmp_path):
    picture(1).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0\x2b" + bytes(range(60)))
    assert images.read_header(tmp_path / "a.jpg").plain
    assert images.load(tmp_path / "a.jpg").size == (72, 96)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    Image.fromarray(np.full((4, 4), 128 * 257, dtype=np.uint16)).save(tmp_path / "a.png")
    assert images.load_rgb(tmp_path / "a.png")[0, 0].tolist() == [128, 128, 128]
    assert not images.read_header(tmp_path / "a.png").plain


def test_cmyk_is_no_plain_picture(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    assert not images.read_header(tmp_path / "a.jpg").plain
    red, green, _ = images.load_rgb(tmp_path / "a.jpg")[0, 0].astype(int)
    assert red > green + 150


def test_colour_profiles(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture(1).save(tmp_path / "srgb.png", icc_profile=srgb)
    picture(1).save(tmp_path / "odd.png", icc_profile=lab)
    assert images.read_header(tmp_path / "srgb.png").plain
    assert not images.read_header(tmp_path / "odd.png").plain
    # a profile that does not fit its picture is passed over
    assert np.array_equal(images.load_rgb(tmp_path / "odd.png"), np.asarray(picture(1)))


def profile_of(name: str) -> bytes:
    """A matrix profile: linear light for RGB or grey, with sRGB's colours; written by hand, as Pillow makes only sRGB."""
    kind = b"GRAY" if name == "grey" else b"RGB "
    xyz = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971), b"bXYZ": (0.1431, 0.0606, 0.7141)}
    white, linear = (0.9642, 1.0, 0.8249), b"curv" + struct.pack(">II", 0, 0)

    def point(values):
        return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65536) for value in values))

    text = b"linear"
    tags = {b"desc": b"desc" + struct.pack(">II", 0, len(text) + 1) + text + bytes(79), b"wtpt": point(white)}
    curves = (b"kTRC",) if name == "grey" else (b"rTRC", b"gTRC", b"bTRC")
    tags |= dict.fromkeys(curves, linear) | ({} if name == "grey" else {key: point(xyz[key]) for key in xyz})
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for key, value in tags.items():
        value += bytes(-len(value) % 4)
        table += key + struct.pack(">II", start + len(data), len(value))
        data += value
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02100000, b"mntr", kind, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in white)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_profiles_of_all_kinds_of_pictures_count(tmp_path, mode):
    # a quarter of the light in a linear space is 137 in sRGB
    image = Image.new("RGBA", (8, 8), (64, 64, 64, 255))
    image = image.convert("RGB").quantize(4) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.png", icc_profile=profile_of("grey" if mode in ("L", "LA") else "rgb"))
    assert not images.read_header(tmp_path / "a.png").plain
    loaded = images.load(tmp_path / "a.png")
    assert loaded.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
    assert np.abs(np.asarray(images.flatten(loaded)).astype(int) - 137).max() <= 2


def test_a_transparent_value_of_sixteen_bits_is_transparent(tmp_path):
    values = np.full((4, 4), 40000, dtype=np.uint16)
    values[:, :2] = 513
    Image.fromarray(values).save(tmp_path / "a.png", transparency=513)
    loaded = images.load(tmp_path / "a.png")
    assert images.visible_alpha(loaded) == 0.5
    assert np.asarray(images.flatten(loaded))[0, :, 0].tolist() == [255, 255, 156, 156]


def test_a_wrong_checksum_is_damage(tmp_path):
    picture(1).save(tmp_path / "a.png")
    images.check_sums(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[content.index(b"IDAT") + 60] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(images.PictureError, match="damaged"):
        images.check_sums(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["rgba", "palette", "grey"])
def test_transparency_of_all_kinds(tmp_path, kind):
    image = Image.new("RGBA", (10, 10), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 5, 10))
    file = tmp_path / "a.png"
    if kind == "rgba":
        image.save(file)
    elif kind == "grey":
        image.convert("LA").save(file)
    else:
        palette = Image.new("P", (10, 10), 1)
        palette.putpalette([0, 0, 0, 255, 0, 0])
        palette.paste(0, (0, 0, 5, 10))
        palette.save(file, transparency=0)
    assert images.read_header(file).may_be_transparent
    loaded = images.load(file)
    assert images.visible_alpha(loaded) == 0.5
    flat = np.asarray(images.flatten(loaded))
    assert flat[0, 0].tolist() == [255, 255, 255]
    assert flat[0, 9].tolist() != [255, 255, 255]


def test_faint_alpha_is_not_seen(tmp_path):
    assert images.visible_alpha(Image.new("RGBA", (4, 4), (1, 2, 3, 251))) == 0.0


def test_animation_is_noticed(tmp_path):
    frames = [picture(seed) for seed in (1, 2)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert images.read_header(tmp_path / name).animated
    frames[0].save(tmp_path / "still.gif")
    assert not images.read_header(tmp_path / "still.gif").animated


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html>", "HTML"),
        (b"\0\0\0 ftypisom" + bytes(50), "video"),
        (b"\x1a\x45\xdf\xa3" + bytes(50), "video"),
        (b"PK\x03\x04" + bytes(50), "archive"),
        (b'{"success": false}', "text"),
        (bytes(range(256)), "damaged"),
    ],
)
def test_reasons_name_what_was_found(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(images.PictureError) as caught:
        images.read_header(tmp_path / "a.jpg")
    assert reason in caught.value.what


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_truncated_files_are_refused(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    picture(3, (200, 200)).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for small in (None, 50):
        with pytest.raises(images.PictureError):
            images.load(file, at_least=small)


def test_bombs_are_refused_before_decoding(tmp_path):
    file = tmp_path / "bomb.png"
    Image.new("1", (10000, 9000)).save(file, compress_level=1)
    with pytest.raises(images.PictureError, match="megapixels"):
        images.read_header(file)
    with pytest.raises(images.PictureError, match="megapixels"):
        images.load(file)


def test_damaged_bytes_never_escape(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(60):
        file = tmp_path / f"a.{('png', 'jpg', 'webp', 'gif')[index % 4]}"
        picture(index, (24, 24)).save(file)
        content = bytearray(file.read_bytes())
        for place in rng.integers(0, len(content), 6):
            content[place] = rng.integers(0, 256)
        file.write_bytes(content)
        try:
            images.read_header(file)
            images.load(file)
        except images.PictureError:
            pass
