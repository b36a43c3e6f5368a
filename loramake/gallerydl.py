"""Runs gallery-dl, the program that knows the boorus, with a configuration of ours and the user's own logins."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loramake import boorus
from loramake.errors import UserError
from loramake.files import to_json, write_text
from loramake.programs import package_environment

# the end of the environment variable → gallery-dl's option; danbooru's API key goes where a password would
_LOGIN = {"USERNAME": "username", "PASSWORD": "password", "API_KEY": "api-key", "USER_ID": "user-id"}
_SECRET = re.compile(
    r"(?i)\b(api_key|user_id|login|username|password|password_hash|token|key)=[^&\s'\"]+|//[^/\s'\"]*@"
)
_RECORD = re.compile(r"(debug|info|warning|error|critical)\t([^\t]*)\t(.*)", re.IGNORECASE)


@dataclass
class Outcome:
    """What one run of gallery-dl said.

    Attributes:
        failed_files: files that could not be fetched: name and reason.
        errors: what kept it from going on, in order, without secrets; empty for a run that reached its end.
        warning: the last one, without secrets.
        last_line: the last line that was no message of its, such as the end of a traceback; without secrets.
    """

    failed_files: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warning: str = ""
    last_line: str = ""


def check_installed() -> None:
    """Say how to get gallery-dl where it is missing.

    Raises:
        UserError: it is.
    """
    if importlib.util.find_spec("gallery_dl") is None:
        raise UserError(
            "Downloading needs gallery-dl, which is not installed.",
            setting="pip install gallery-dl, or take the download section out of the config",
        )


def search_options(folder: Path, archive: Path, rules: Path, *, limit: int, looked_at: int) -> dict[str, object]:
    """The configuration that fetches the posts of a search which `gate.admit` lets through.

    Keys at the top win over the user's own configuration, whatever section there names them.

    Args:
        folder: gets `{id}.{extension}` and, once that is complete, `{id}.json` with the post's metadata.
        archive: gallery-dl's database of what it has fetched, by checksum, so that boorus share it.
        rules: file for `gate.admit`.
        limit: posts let through at most, those fetched earlier included.
        looked_at: posts looked at, at most.
    """
    ask = f"__import__('loramake.gate', fromlist=['admit']).admit(locals(), {os.fspath(rules.resolve())!r})"
    side = {"name": "metadata", "mode": "json", "event": "after", "filename": "{id}.json", "mtime": False}
    return _common(folder) | {
        "archive": os.fspath(archive.resolve()),
        "archive-prefix": "",
        "archive-format": "{md5}",
        "archive-table": None,
        # not before the metadata is written: a kill in between then fetches the file once more
        "archive-event": ["after"],
        "file-filter": ask,
        "file-range": f"1-{limit}",
        "post-range": f"1-{looked_at}",
        "postprocessors": [side],
        "download": True,
    }


def page_options(folder: Path) -> dict[str, object]:
    """The configuration that reads posts' pages for the categories of their tags, into `{id}.json`."""
    side = {"name": "metadata", "mode": "json", "event": "prepare", "filename": "{id}.json", "mtime": False}
    return _common(folder) | {
        "archive": None,
        "file-filter": None,
        "file-range": None,
        "post-range": None,
        "tags": True,
        "postprocessors": [side],
        "download": False,
    }


def _common(folder: Path) -> dict[str, object]:
    return {
        "base-directory": os.fspath(folder.resolve()),
        "directory": [],
        "filename": "{id}.{extension}",
        "post-filter": None,
        "image-filter": None,
        "image-range": None,
        "skip": True,
        "part": True,
        "part-directory": None,
        "extension-map": None,
        "postprocess": True,
        "tags": False,
        "notes": False,
        "external": False,
        "ugoira": False,
        "input": False,
        "keywords": {},
        "retry-codes": [429],
        # an error in gate.admit must end the search, not read as an answer
        "filters-environment": "raw",
        # the engines of boorus.Site; looking through all of its sites takes a second
        "extractor": {"modules": ["danbooru", "gelbooru", "gelbooru_v02", "moebooru"]},
        "output": {
            "mode": "pipe",
            "progress": False,
            "log": {"format": "{levelname}\t{name}\t{message}"},
            "logfile": None,
            "unsupportedfile": None,
            "errorfile": None,
        },
    }


def logins(site: boorus.Site, environment: Mapping[str, str]) -> dict[str, str]:
    """gallery-dl's login options from variables such as DANBOORU_USERNAME, DANBOORU_API_KEY or GELBOORU_USER_ID.

    An own address takes those of its engine.
    """
    name = site.name if site.address.startswith("http") else site.engine
    found = {option: environment.get(f"{name.upper()}_{end}", "") for end, option in _LOGIN.items()}
    if site.engine == "danbooru" and found["api-key"]:
        found["password"] = found["api-key"]
    return {option: value for option, value in found.items() if value}


def run(
    addresses: Sequence[str], options: Mapping[str, object], file: Path, login: Mapping[str, str],
    on_file: Callable[[], object],
) -> Outcome:  # fmt: skip
    """Run gallery-dl to its end.

    Args:
        addresses: pages to go through.
        options: from `search_options` or `page_options`.
        file: where these are written; logins are not, they go through a pipe.
        login: from `logins`.
        on_file: called for each file it fetched or already had.
    """
    write_text(file, to_json(options))
    outcome = Outcome()
    with _pipe(json.dumps(login)) as secret:
        command = [sys.executable, "-m", "gallery_dl", "-c", os.fspath(file), "-c", f"/dev/fd/{secret}", *addresses]
        process = subprocess.Popen(
            command,
            env=package_environment(PYTHONUTF8="1"),
            pass_fds=[secret],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    try:
        for line in process.stdout:
            if line.removeprefix("# ").startswith(str(options["base-directory"])):
                on_file()
            else:
                _read_line(line.rstrip("\n"), outcome, list(login.values()))
        status = process.wait()
    finally:
        # an interrupted job must not leave it writing behind our back
        process.terminate()
        process.wait()
        process.stdout.close()
    if status and not outcome.errors and not outcome.failed_files:
        outcome.errors.append(f"gallery-dl ended with status {status}: {outcome.last_line}")
    return outcome


def hide_secrets(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without logins: known values, and whatever stands behind `api_key=` and the like in an address."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _SECRET.sub(lambda found: f"{found[1]}=***" if found[1] else "//***@", text)


def _read_line(line: str, outcome: Outcome, secrets: Sequence[str]) -> None:
    record = _RECORD.fullmatch(line)
    if not record:
        outcome.last_line = hide_secrets(line, secrets) if line.strip() else outcome.last_line
        return
    level, name, message = record[1].lower(), record[2], hide_secrets(record[3], secrets)
    if level in ("error", "critical"):
        failed = re.fullmatch(r"Failed to download (.*)", message) if name == "download" else None
        if failed:
            outcome.failed_files.append(f"{failed[1]}: {outcome.warning}")
        else:
            outcome.errors.append(message)
    elif level == "warning":
        outcome.warning = message


@contextmanager
def _pipe(text: str) -> Iterator[int]:
    """A file descriptor from which another process reads `text`, which never touches a disk or a command line."""
    reading, writing = os.pipe()
    try:
        # a login is far shorter than what a pipe holds, so that nobody has to read at the same time
        os.write(writing, text.encode())
        os.close(writing)
        yield reading
    finally:
        os.close(reading)
