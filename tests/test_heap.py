"""The C library's setting is made where there is one, and never breaks anything."""

import subprocess
import sys


def test_large_blocks_can_still_be_had():
    code = "from loramake.heap import keep_freed_memory as keep\nprint(keep(), keep())\nfor _ in range(3): bytes(2**27)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() in (["True", "True"], ["False", "False"])


def test_other_systems_are_left_alone(monkeypatch):
    from loramake import heap

    monkeypatch.setattr(sys, "platform", "win32")
    assert heap.keep_freed_memory() is False
