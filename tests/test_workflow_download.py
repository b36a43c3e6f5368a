"""The workflow with `download:`: what it fetches, when it fetches again, and what a failure leaves."""

from __future__ import annotations

import os

import pytest
from boorusite import Booru, Server, post, quick_gallery_dl
from workflowhouse import House

TARGET = "work/screen/shim.tsv"


@pytest.fixture
def booru():
    state = Booru(posts=[post(number, score=number) for number in range(1, 5)])
    with Server(state):
        yield state


@pytest.fixture
def house(tmp_path, monkeypatch, booru):
    """A house without pictures, whose character is to be downloaded."""
    for key, value in quick_gallery_dl(tmp_path / "home").items():
        monkeypatch.setenv(key, value)
    (tmp_path / "it's тест dir").mkdir()
    house = House.found(tmp_path / "it's тест dir")
    configure(house, booru)
    return house


def configure(house, *boorus, **wishes):
    download = {"sites": [f"danbooru:{booru.root}" for booru in boorus], "limit": 2} | wishes
    entry = {"tag": "shimakaze (azur lane)", "trigger": "shim", "download": download}
    house.write_config(characters={"shim": entry})


def names(house) -> list[str]:
    return sorted(path.name for path in (house.folder / "raw/shim").glob("[!.]*.png"))


def test_download_runs_when_it_has_to(house, booru):
    assert house.plan(TARGET) == {"download_images", "screen_images"}
    house.build(TARGET)
    assert names(house) == ["1.png", "2.png"]
    assert "1.png" in (house.folder / TARGET).read_text(encoding="utf-8")
    assert "Nothing to be done" in house.build(TARGET).text

    # other settings: it runs again, and fetches only what is new
    configure(house, booru, limit=3)
    house.plan(TARGET)
    (house.folder / "raw/shim/1.txt").write_text("1girl, my own tag", encoding="utf-8")
    booru.requests.clear()
    assert house.build(TARGET).jobs == {"download_images": 1, "screen_images": 1}
    assert booru.fetched() == ["2.png"] and names(house) == ["1.png", "2.png", "3.png"]
    assert (house.folder / "raw/shim/1.txt").read_text(encoding="utf-8") == "1girl, my own tag"
    assert "Nothing to be done" in house.build(TARGET).text

    # a hand at a raw file concerns the later stages alone
    os.utime(house.folder / "raw/shim/2.txt")
    assert house.plan(TARGET) == {"screen_images"}
    house.build(TARGET)

    # asked for: what is new on the booru
    booru.posts.append(post(9, score=99))
    house.build("-R", "download_images", "--", TARGET)
    assert names(house) == ["1.png", "2.png", "3.png", "4.png"]
    assert "Nothing to be done" in house.build(TARGET).text


def test_a_deleted_folder_is_filled_again(house):
    house.build(TARGET)
    for path in (house.folder / "raw/shim").glob("[!.]*"):
        path.unlink()
    house.build(TARGET)
    assert names(house) == ["3.png", "4.png"]


def test_a_failed_site(house, booru):
    house.build(TARGET)
    broken = Booru(faults={"/posts.json": ["403*"]})
    server = Server(broken)
    configure(house, booru, broken, limit=3)
    run = house.snakemake(TARGET)
    assert run.status == 1
    assert "Traceback" not in run.text
    assert f"127.0.0.1:{broken.port}" in (house.folder / "logs/download_images/shim.log").read_text(encoding="utf-8")
    assert names(house) == ["1.png", "2.png", "3.png"]
    # what failed is not forgotten
    assert "download_images" in house.plan(TARGET)
    server.shutdown()
    server.server_close()

    # on without it: what was fetched is not fetched again
    configure(house, booru, limit=3)
    booru.requests.clear()
    house.build(TARGET)
    assert booru.fetched() == []
    assert names(house) == ["1.png", "2.png", "3.png"]
    assert "3.png" in (house.folder / TARGET).read_text(encoding="utf-8")


def test_an_asked_for_download_that_fails_comes_again(house, booru):
    house.build(TARGET)
    booru.faults = {"/posts.json": ["403*"]}
    assert house.snakemake("-R", "download_images", "--", TARGET).status == 1
    booru.faults.clear()
    assert house.build(TARGET).jobs == {"download_images": 1, "screen_images": 1}
    assert "Nothing to be done" in house.build(TARGET).text


def test_a_wrong_site_is_refused_at_planning(house, booru):
    configure(house, booru, sites=["danboru"])
    run = house.snakemake("-n", TARGET)
    assert run.status == 1
    assert "characters.shim.download.sites" in run.text and "Traceback" not in run.text
