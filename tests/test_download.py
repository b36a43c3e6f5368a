"""Downloads through the real gallery-dl, from boorus that run on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import pytest
from boorusite import Booru, Server, picture, post, quick_gallery_dl
from PIL import Image

from loramake.download import download_images
from loramake.errors import UserError
from loramake.manifest import read


@pytest.fixture
def booru():
    state = Booru()
    with Server(state):
        yield state


@pytest.fixture
def fetch(booru, tmp_path, monkeypatch):
    """Runs a download into tmp_path/raw and returns its hauls."""
    for key, value in quick_gallery_dl(tmp_path / "home").items():
        monkeypatch.setenv(key, value)

    def run(*sites: str, **wishes):
        values = {
            "character": "shim", "digest": "d", "raw_dir": str(tmp_path / "raw"), "tag": "shimakaze (azur lane)", "tags": [],
            "exclude": [], "order": "score", "limit": 50, "rating": ["general"],
        } | wishes  # fmt: skip
        names = [name if "://" in name or name == "gelbooru" else f"{name}:{booru.root}" for name in sites]
        return download_images(tmp_path / "manifest.json", sites=names or [f"danbooru:{booru.root}"], **values)

    return run


def files(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "raw").iterdir() if not path.name.startswith("."))


def test_grabbers_layout_with_side_files(booru, fetch, tmp_path):
    booru.posts = [
        post(7, "blue_sky", ">_<", score=1),
        post(9, "smile", score=5, name="a.jpg", content=picture(9, "JPEG")),
    ]
    fetch("danbooru")
    assert files(tmp_path) == ["1.jpg", "1.json", "1.txt", "2.json", "2.png", "2.txt"]
    assert (tmp_path / "raw/1.jpg").read_bytes() == booru.posts[1].content
    assert (tmp_path / "raw/2.txt").read_text() == (
        "shimakaze (azur lane), azur lane, artist 7, 1girl, blue sky, >_<, highres\n"
    )
    assert json.loads((tmp_path / "raw/2.json").read_text()) == {
        "id": 7, "site": f"127.0.0.1:{booru.port}", "source": "https://art.example/1", "rating": "general", "score": 1,
        "tags": {
            "general": ["1girl", "blue_sky", ">_<"], "character": ["shimakaze_(azur_lane)"],
            "copyright": ["azur_lane"], "artist": ["artist_7"], "meta": ["highres"],
        },
    }  # fmt: skip
    folder, entries = read(tmp_path / "manifest.json")
    assert [entry.name for entry in entries] == ["1.jpg", "1.json", "1.txt", "2.json", "2.png", "2.txt"]


@pytest.mark.parametrize("engine", ["gelbooru_v02", "moebooru"])
def test_categories_of_boorus_whose_search_tells_none(booru, fetch, tmp_path, engine):
    booru.posts = [post(3, "smile")]
    fetch(engine)
    side = json.loads((tmp_path / "raw/1.json").read_text())
    assert side["tags"] == {key: sorted(tags) for key, tags in booru.posts[0].tags.items()}
    assert side["rating"] == "general"


def test_a_second_run_fetches_only_what_is_new(booru, fetch, tmp_path):
    booru.posts = [post(number, score=number) for number in range(1, 4)]
    assert len(fetch()[0].new) == 3
    booru.requests.clear()
    assert fetch()[0].new == []
    assert booru.fetched() == []
    booru.posts.append(post(10, score=99))
    before = {name: (tmp_path / "raw" / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert fetch()[0].new == ["4.png"]
    assert booru.fetched() == ["10.png"]
    assert all((tmp_path / "raw" / name).stat().st_mtime_ns == time for name, time in before.items())


def test_positions_are_never_given_twice(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2)]
    fetch()
    for suffix in ("png", "txt", "json"):
        (tmp_path / f"raw/2.{suffix}").unlink()
    booru.posts.append(post(3))
    # what was deleted by hand stays away, and its position stays free
    assert fetch()[0].new == ["3.png"]


def test_a_folder_of_grabbers_is_added_to(booru, fetch, tmp_path):
    (tmp_path / "raw").mkdir()
    booru.posts = [post(1), post(2)]
    (tmp_path / "raw/61.png").write_bytes(booru.posts[0].content)
    assert fetch()[0].new == ["62.png"]
    assert booru.fetched() == ["2.png"]


def test_boorus_share_positions_and_what_both_have(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2)]
    other = Booru(posts=[post(5, content=booru.posts[0].content), post(6)])
    server = Server(other)
    try:
        hauls = fetch("danbooru", f"moebooru:{other.root}")
    finally:
        server.shutdown()
        server.server_close()
    assert [haul.new for haul in hauls] == [["1.png", "2.png"], ["3.png"]]
    assert other.fetched() == ["6.png"]


@pytest.mark.parametrize("engine", ["danbooru", "gelbooru_v02"])
def test_pages_until_the_limit(booru, fetch, tmp_path, engine):
    quick_gallery_dl(tmp_path / "home", threshold=1)
    booru.per_page = 3
    booru.posts = [post(number, "hat" if number % 2 else "cap", score=number) for number in range(1, 13)]
    (haul,) = fetch(engine, limit=5, exclude=["ca*"])
    assert len(haul.new) == 5
    assert booru.fetched() == ["11.png", "9.png", "7.png", "5.png", "3.png"]
    # nothing is listed beyond the limit
    key = "page" if engine == "danbooru" else "pid"
    pages = [query.get(key) or "1" for _, query in booru.requests if "tags" in query]
    assert pages == (["1", "2", "3", "4"] if engine == "danbooru" else ["0", "1", "2", "3"])


@pytest.mark.parametrize("engine", ["danbooru", "gelbooru_v02", "moebooru"])
def test_what_is_refused_is_never_fetched(booru, fetch, engine):
    booru.posts = [
        post(1),
        post(2, rating="q"),
        post(3, "2girls"),
        post(4, "child", "nude", rating="e"),
        post(5, "loli"),
        post(6, name="6.mp4"),
        post(7, name="7.gif"),
        post(8, "comic", "smile"),
    ]
    (haul,) = fetch(engine, exclude=["2girls", "comic & smile"])
    assert booru.fetched() == ["1.png"]
    assert haul.new == ["1.png"]


def test_minors_rule_has_no_switch(booru, fetch, tmp_path):
    booru.posts = [post(1), post(4, "child", "nude", rating="e"), post(5, "loli")]
    (haul,) = fetch(tags=["1girl"], rating=["general", "sensitive", "questionable", "explicit"])
    assert booru.fetched() == ["1.png"]
    assert haul.refused["minors"] == 2
    assert files(tmp_path) == ["1.json", "1.png", "1.txt"]


def test_more_tags_than_danbooru_takes(booru, fetch):
    booru.posts = [post(1, "smile", "hat"), post(2, "smile"), post(3, "smile", "hat", "night")]
    (haul,) = fetch(tags=["shimakaze (azur lane)", "smile", "hat"], exclude=["night"])
    (asked,) = {query["tags"] for path, query in booru.requests if path == "/posts.json"}
    assert asked.split() == ["shimakaze_(azur_lane)", "order:score", "rating:g"]
    assert booru.fetched() == ["1.png"]
    assert haul.refused == {"missing tag": 1, "excluded tag": 1}


def test_busy_boorus_are_asked_again(booru, fetch):
    booru.posts = [post(1), post(2)]
    booru.faults = {"/posts.json": ["429", "503"], "/files/1.png": ["503"], "/files/2.png": ["429"]}
    assert len(fetch()[0].new) == 2


def test_slow_and_broken_off_downloads(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2)]
    booru.faults = {"/files/1.png": ["cut"], "/files/2.png": ["slow"]}
    assert len(fetch()[0].new) == 2
    assert booru.resumed == ["/files/1.png"]
    contents = {(tmp_path / f"raw/{name}.png").read_bytes() for name in (1, 2)}
    assert contents == {item.content for item in booru.posts}


def test_the_next_run_resumes(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2)]
    booru.faults = {"/files/1.png": ["cut", "404*"]}
    (haul,) = fetch()
    assert haul.new == ["1.png"] and len(haul.lost) == 1 and "404" in haul.lost[0]
    booru.faults.clear()
    booru.resumed.clear()
    assert fetch()[0].new == ["2.png"]
    assert booru.resumed == ["/files/1.png"]
    assert (tmp_path / "raw/2.png").read_bytes() == booru.posts[0].content


@pytest.mark.parametrize(
    ("fault", "content"),
    [("404*", b""), ("html*", b""), ("", b"<html>Blocked</html>"), ("", picture(1)[:2000])],
    ids=["missing", "a page instead", "a page under a picture's name", "half a picture"],
)
def test_a_file_that_is_no_picture_is_left_out_and_tried_again(booru, fetch, tmp_path, fault, content):
    good = hashlib.md5(picture(1)).hexdigest()
    booru.posts = [post(1, content=content, md5=good), post(2)]
    booru.faults = {"/files/1.png": [fault]} if fault else {}
    (haul,) = fetch()
    assert haul.new == ["1.png"]
    assert len(haul.lost) == 1 and haul.lost[0].startswith("1.png: ")
    booru.faults.clear()
    booru.posts[0].content = picture(1)
    assert fetch()[0].new == ["2.png"]
    assert (tmp_path / "raw/2.png").read_bytes() == picture(1)


def test_a_recompressed_file_is_kept(booru, fetch):
    booru.posts = [post(1, md5="0" * 32)]
    assert fetch()[0].new == ["1.png"]


def test_the_suffix_follows_the_content(booru, fetch, tmp_path):
    booru.posts = [post(1, content=picture(1, "JPEG"))]
    assert fetch()[0].new == ["1.jpg"]
    assert Image.open(tmp_path / "raw/1.jpg").format == "JPEG"


@pytest.mark.parametrize(
    "name",
    [
        "../../../evil.png",
        "..%2f..%2fevil.png",
        "%2e%2e/evil.png",
        "-rf.png",
        "a b;c$(x).png",
        "é😀.png",
        "x.png%00.sh",
    ],
)
def test_names_lead_nowhere(booru, fetch, tmp_path, name):
    booru.posts = [post(1, name=name), post(2)]
    fetch()
    outside = {path.name for path in tmp_path.iterdir()} - {"raw", "home", "manifest.json"}
    assert not outside
    assert set(files(tmp_path)) <= {f"{stem}.{end}" for stem in (1, 2) for end in ("png", "txt", "json")}


def test_odd_posts_are_refused(booru, fetch, tmp_path):
    booru.posts = [post(1)]
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(5))
    odd = {"id": "../../9"}, {"file_url": f"file://{secret}"}, {"md5": "../x"}, {"file_url": "text:hello.png"}
    from boorusite import Handler

    plain = Handler.danbooru

    def tampered(self, item):
        fields = plain(self, item)
        return fields | odd[item.id - 2] if item.id > 1 else fields

    Handler.danbooru = tampered
    try:
        booru.posts += [post(number) for number in range(2, 2 + len(odd))]
        (haul,) = fetch()
    finally:
        Handler.danbooru = plain
    assert haul.new == ["1.png"]
    assert haul.refused == {"post": len(odd)}


def test_a_failed_booru_names_itself_and_the_others_stay(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2)]
    other = Booru(posts=[post(5)], faults={"/posts.json": ["403*"]})
    server = Server(other)
    try:
        with pytest.raises(UserError) as error:
            fetch(f"danbooru:{other.root}", f"danbooru:{booru.root}")
    finally:
        server.shutdown()
        server.server_close()
    assert f"127.0.0.1:{other.port}" in str(error.value) and "403" in str(error.value)
    assert f"127.0.0.1:{booru.port}" not in str(error.value)
    assert not (tmp_path / "manifest.json").exists()
    assert "1.png" in files(tmp_path) and "2.png" in files(tmp_path)


@pytest.mark.parametrize("fault", ["500*", "garbage*"])
def test_an_api_that_stays_broken(booru, fetch, fault):
    booru.posts = [post(1)]
    booru.faults = {"/posts.json": [fault]}
    with pytest.raises(UserError, match="127.0.0.1"):
        fetch()


def test_a_booru_that_is_not_there(booru, fetch):
    with pytest.raises(UserError, match="127.0.0.1:9"):
        fetch("danbooru:http://127.0.0.1:9")


def test_nothing_found(booru, fetch):
    booru.posts = [post(1)]
    with pytest.raises(UserError, match="No picture"):
        fetch(tags=["no_such_tag"])


def test_every_file_missing_is_a_failure(booru, fetch):
    booru.posts = [post(1), post(2)]
    booru.faults = {"/files/1.png": ["404*"], "/files/2.png": ["404*"]}
    with pytest.raises(UserError, match="404"):
        fetch()


def test_what_a_kill_leaves_is_put_right(booru, fetch, tmp_path):
    booru.posts = [post(1), post(2), post(3)]
    folder = tmp_path / f"raw/.download/127.0.0.1-{booru.port}"
    folder.mkdir(parents=True)
    # one file without its metadata, one whose metadata was cut, one complete
    (folder / "1.png").write_bytes(booru.posts[0].content)
    (folder / "2.png").write_bytes(booru.posts[1].content)
    (folder / "2.json").write_text('{"id": 2, "ta')
    (folder / "3.png").write_bytes(booru.posts[2].content)
    tags = {"id": 3, "extension": "png", "rating": "g", "tags": "1girl", "md5": booru.posts[2].md5}
    (folder / "3.json").write_text(json.dumps(tags))
    assert len(fetch()[0].new) == 3
    assert sorted(booru.fetched()) == ["1.png", "2.png"]


def test_a_users_own_configuration_does_not_get_in_the_way(booru, fetch, tmp_path):
    booru.posts = [post(1)]
    quick_gallery_dl(
        tmp_path / "home",
        **{
            "base-directory": str(tmp_path / "elsewhere"), "skip": False, "image-filter": "False", "archive": "x.db",
            "Danbooru": {"directory": ["own"], "filename": "own.{extension}", "tag": {"image-range": "5-"}},
            "postprocessors": [{"name": "metadata", "mode": "tags"}],
        },
    )  # fmt: skip
    assert fetch()[0].new == ["1.png"]
    assert not (tmp_path / "elsewhere").exists()
    assert files(tmp_path) == ["1.json", "1.png", "1.txt"]


def test_raw_files_are_never_touched(booru, fetch, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/3.png").write_bytes(picture(77))
    (tmp_path / "raw/3.txt").write_text("my own tags")
    booru.posts = [post(1), post(2)]
    assert fetch()[0].new == ["4.png", "5.png"]
    assert (tmp_path / "raw/3.png").read_bytes() == picture(77)
    assert (tmp_path / "raw/3.txt").read_text() == "my own tags"


@pytest.fixture
def as_gelbooru(booru, tmp_path, monkeypatch):
    """Requests to gelbooru.com come to the booru on this machine, through a proxy and under a certificate of its own."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate")
    pem = tmp_path / "home/booru.pem"
    pem.parent.mkdir(exist_ok=True)
    key = tmp_path / "home/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gelbooru.com",
         "-addext", "subjectAltName=DNS:gelbooru.com", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + key.read_text())
    booru.certificate = pem
    monkeypatch.setenv("HTTPS_PROXY", booru.root)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))


def test_gelbooru(as_gelbooru, booru, fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("GELBOORU_API_KEY", "s3cret")
    monkeypatch.setenv("GELBOORU_USER_ID", "4711")
    booru.posts = [post(number, score=number) for number in range(1, 4)] + [post(8, "loli"), post(9, "2girls")]
    (haul,) = fetch("gelbooru", exclude=["2girls"])
    assert haul.new == ["1.png", "2.png", "3.png"]
    side = json.loads((tmp_path / "raw/1.json").read_text())
    assert (side["site"], side["id"], side["tags"]["artist"]) == ("gelbooru", 3, ["artist_3"])
    path, query = booru.requests[0]
    assert query["api_key"] == "s3cret" and query["user_id"] == "4711"
    assert query["tags"].split() == ["shimakaze_(azur_lane)", "sort:score", "-2girls", "rating:general"]


@pytest.mark.parametrize("place", ["environment", "gallery-dl's configuration"])
def test_logins_are_written_nowhere(as_gelbooru, booru, fetch, tmp_path, monkeypatch, capfd, place):
    if place == "environment":
        monkeypatch.setenv("GELBOORU_API_KEY", "s3cret")
    else:
        quick_gallery_dl(tmp_path / "home", gelbooru={"api-key": "s3cret"})
    booru.posts = [post(1)]
    fetch("gelbooru")
    booru.faults = {"/index.php": ["403*"]}
    with pytest.raises(UserError) as error:
        fetch("gelbooru")
    assert booru.requests[-1][1]["api_key"] == "s3cret"
    assert "403" in str(error.value) and "s3cret" not in str(error.value)
    assert "s3cret" not in "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts]
    assert written and not [path for path in written if b"s3cret" in path.read_bytes()]


def test_a_folder_that_cannot_be_made(booru, fetch, tmp_path):
    (tmp_path / "raw").write_text("a file in the way")
    with pytest.raises(UserError, match="characters.shim.raw_dir"):
        fetch()
    assert booru.requests == []
