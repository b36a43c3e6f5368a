"""One context manager around every job: messages and tracebacks go to the log and to stderr."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from loramake.errors import LoramakeError


class _Tee:
    """A text stream that writes to two streams."""

    def __init__(self, screen: TextIO, log: TextIO) -> None:
        self.screen, self.log = screen, log

    def write(self, text: str) -> int:
        self.screen.write(text)
        # a progress bar redraws itself with carriage returns; the log keeps only whole lines
        if "\r" not in text:
            self.log.write(text)
            self.log.flush()
        return len(text)

    def flush(self) -> None:
        self.screen.flush()
        self.log.flush()

    def isatty(self) -> bool:
        return self.screen.isatty()

    def fileno(self) -> int:
        return self.screen.fileno()


@contextmanager
def job_log(path: Path | str) -> Iterator[None]:
    """Tee stdout and stderr into `path`; end the process with status 1 on an error.

    A LoramakeError prints its message alone; anything else is a fault of ours and prints its traceback.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stdout, stderr = sys.stdout, sys.stderr
    with open(path, "w", encoding="utf-8", errors="replace") as log:
        sys.stdout, sys.stderr = _Tee(stderr, log), _Tee(stderr, log)
        try:
            yield
        except LoramakeError as error:
            print(f"\nloramake: {error}\n", file=sys.stderr)
            raise SystemExit(1) from None
        except Exception:
            traceback.print_exc(file=sys.stderr)
            raise SystemExit(1) from None
        finally:
            sys.stdout, sys.stderr = stdout, stderr
