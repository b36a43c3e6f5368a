"""Tag files in all their spellings."""

from __future__ import annotations

import codecs

import pytest

from loramake.errors import UserError
from loramake.tags import normalize, read_tags

PLAIN = ["1girl", "long hair", "shimakaze (azur lane)", "^_^"]


@pytest.mark.parametrize(
    "content",
    [
        b"1girl, long hair, shimakaze (azur lane), ^_^",
        b"1girl,long_hair,shimakaze_(azur_lane),^_^",
        b"1girl\nlong hair\nshimakaze (azur lane)\n^_^\n",
        b"1girl\r\nlong_hair\r\nshimakaze_\\(azur_lane\\)\r\n^_^\r\n",
        codecs.BOM_UTF8 + b"1girl, long hair, shimakaze \\(azur lane\\), ^_^,",
        "1girl, long hair, shimakaze (azur lane), ^_^".encode("utf-16"),
        "1girl, long hair, shimakaze (azur lane), ^_^".encode("utf-16-be"),
        "1girl, long hair, shimakaze (azur lane), ^_^".encode("utf-16-le"),
        b"1Girl, Long_Hair,, long hair , Shimakaze (Azur Lane), 1girl, ^_^, , ",
        b"1girl long_hair shimakaze_(azur_lane) ^_^",
        b"1girl,\tlong  hair, shimakaze (azur lane), ^ ^",
    ],
)
def test_all_spellings_read_the_same(tmp_path, content):
    file = tmp_path / "1.txt"
    file.write_bytes(content)
    assert read_tags(file) == PLAIN


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (">_<", ">_<"),
        ("> <", ">_<"),
        ("o_o", "o_o"),
        ("o o", "o_o"),
        ("<|>_<|>", "<|>_<|>"),
        ("no_bra", "no bra"),
        ("v", "v"),
        ("d&#039;artagnan", "d'artagnan"),
        ("\\||/", "\\||/"),
        ("__", ""),
        ("x 1", "x 1"),
    ],
)
def test_emoticons_keep_their_underscore(tag, expected):
    assert normalize(tag) == expected


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\0", b"\xff\xff\xff,\x80", b",,,\n\n,", bytes(range(256))])
def test_garbage_never_crashes(tmp_path, content):
    file = tmp_path / "1.txt"
    file.write_bytes(content)
    assert all(tag and "," not in tag and tag == tag.strip() for tag in read_tags(file))


def test_a_vanished_file_is_named(tmp_path):
    with pytest.raises(UserError, match="gone.txt"):
        read_tags(tmp_path / "gone.txt")
