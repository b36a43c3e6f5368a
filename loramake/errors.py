"""The one tree of errors that a user can cause, and mend."""

from __future__ import annotations

from pathlib import Path


class LoramakeError(Exception):
    """Base of all errors that end a job with one message and no traceback."""


class UserError(LoramakeError):
    """Bad input: says which file, what was found, what was expected and which setting to change.

    Args:
        what: one sentence saying what is wrong.
        file: the file or folder it is about.
        found: what was found there.
        expected: what would have been accepted.
        setting: the config key (dotted) or command that mends it.
    """

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        found: object = None,
        expected: object = None,
        setting: str | None = None,
    ) -> None:
        self.what, self.file, self.found = what, file, found
        self.expected, self.setting = expected, setting
        super().__init__(self.message())

    def message(self) -> str:
        """The whole message, one line per known fact."""
        facts = [
            ("file", self.file),
            ("found", self.found),
            ("expected", self.expected),
            ("to change", self.setting),
        ]
        lines = [f"  {name}: {value}" for name, value in facts if value is not None]
        return "\n".join([self.what, *lines])


class StaleSettingsError(LoramakeError):
    """A settings file changed between planning and running (two Snakemakes with different configs)."""
