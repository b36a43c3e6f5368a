"""A lock for each graphics card: two trainings share none, and wait for none that they do not need."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from loramake import cards, training
from loramake.cards import held_cards


def test_two_take_different_cards_and_a_third_waits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cards, "_PAUSE", 0.01)
    got = []
    with held_cards(["a", "b"], folder=tmp_path) as first:
        # the other process sees them in another order
        with held_cards(["b", "a"], folder=tmp_path) as second:
            assert (first, second) == ([0], [0])

            def third() -> None:
                with held_cards(["a", "b"], folder=tmp_path) as places:
                    got.extend(places)

            waiting = threading.Thread(target=third)
            waiting.start()
            time.sleep(0.3)
            assert not got
        waiting.join(10)
    assert got == [1] and "waiting" in capsys.readouterr().out


def test_who_wants_two_holds_none_while_it_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "_PAUSE", 0.01)
    got = []

    def both() -> None:
        with held_cards(["a", "b"], 2, folder=tmp_path) as places:
            got.extend(places)

    with held_cards(["b"], folder=tmp_path):
        waiting = threading.Thread(target=both)
        waiting.start()
        time.sleep(0.3)
        with held_cards(["a"], folder=tmp_path) as places:
            assert places == [0] and not got
    waiting.join(10)
    assert got == [0, 1]


def test_a_killed_process_holds_nothing(tmp_path):
    code = (
        "import sys, time, pathlib\nfrom loramake.cards import held_cards\n"
        "with held_cards(['a'], folder=pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    process.stdout.close()
    with held_cards(["a"], folder=tmp_path) as places:
        assert places == [0]


@pytest.mark.parametrize(("on_cards", "wanted"), [(True, 1), (False, 0)])
def test_a_training_goes_to_the_free_card(tmp_path, monkeypatch, on_cards, wanted):
    from loramake import trainloop

    monkeypatch.setattr(cards.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(training, "visible_cards", lambda: ["a", "b"])
    monkeypatch.setattr(trainloop, "run_training", lambda *_arguments, card, **_options: card)
    recipe = training.make_recipe({})
    with held_cards(["a"]):
        made_of = ([], [], [], "", "", "")
        assert training._train(None, recipe, made_of, "shim", "cuda", 1, on_cards=on_cards) == wanted
