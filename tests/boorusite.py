"""Boorus on this machine: one HTTP server that speaks danbooru's, gelbooru's and moebooru's APIs, with faults on request."""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

WORDS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
CATEGORIES = ("general", "character", "copyright", "artist", "meta")


def picture(number: int, form: str = "PNG", size: tuple[int, int] = (96, 80)) -> bytes:
    """The bytes of a noisy picture; each number gives another one."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@dataclass
class FakePost:
    """A post of the fake booru.

    Attributes:
        id: its number.
        tags: category → tags.
        rating: danbooru's letter.
        name: the last part of the file's address.
        content: the file.
        md5: as the API tells it; "" for that of the content.
    """

    id: int
    tags: dict[str, list[str]]
    rating: str = "g"
    score: int = 0
    name: str = ""
    content: bytes = b""
    md5: str = ""
    source: str = "https://art.example/1"

    def __post_init__(self) -> None:
        self.content = self.content or picture(self.id)
        self.name = self.name or f"{self.id}.png"
        self.md5 = self.md5 or hashlib.md5(self.content).hexdigest()
        self.tags = {category: self.tags.get(category, []) for category in CATEGORIES}

    @property
    def all_tags(self) -> list[str]:
        return sorted(tag for tags in self.tags.values() for tag in tags)

    def holds(self, term: str) -> bool:
        """Whether a search term fits; those about order fit all."""
        if term.startswith(("order:", "sort:")):
            return True
        if term.startswith("rating:"):
            wanted = term.removeprefix("rating:").split(",")
            return self.rating in wanted or WORDS[self.rating] in wanted
        if term.startswith("id:<"):
            return not term[4:] or self.id < int(term[4:])
        return term[1:] not in self.all_tags if term.startswith("-") else term in self.all_tags


def post(number: int, *general: str, **values: object) -> FakePost:
    """A post of the character with some general tags."""
    tags = {
        "general": ["1girl", *general],
        "character": ["shimakaze_(azur_lane)"],
        "copyright": ["azur_lane"],
        "artist": [f"artist_{number}"],
        "meta": ["highres"],
    }
    return FakePost(number, tags, **values)


@dataclass
class Booru:
    """The server's state.

    Attributes:
        posts: what it lists.
        faults: path → faults that the next requests of it meet, one each: a status such as "503", "cut" (the
            connection breaks in the middle), "slow", "html"; a "*" at its end makes it stay.
        requests: (path, query) of all that was asked.
        resumed: paths that were asked for from some byte on.
        per_page: posts a page at most.
    """

    posts: list[FakePost] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    per_page: int = 200
    port: int = 0
    certificate: Path | None = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fetched(self) -> list[str]:
        """Names of the files that were asked for, in order."""
        return [path.rsplit("/", 1)[-1] for path, _ in self.requests if path.startswith("/files/")]

    def next_fault(self, path: str) -> str:
        waiting = self.faults.get(path, [])
        if waiting and waiting[0].endswith("*"):
            return waiting[0][:-1]
        return waiting.pop(0) if waiting else ""

    def matching(self, terms: str) -> list[FakePost]:
        return [post for post in self.posts if all(map(post.holds, terms.split()))]

    def search(self, terms: str, page: int, limit: int, below: int = 0) -> list[FakePost]:
        words = terms.split()
        found = [post for post in self.matching(terms) if not below or post.id < below]
        by_score = any(word in ("order:score", "sort:score") for word in words)
        found.sort(key=lambda post: (-post.score if by_score else 0, -post.id))
        step = min(limit, self.per_page)
        return found[page * step : (page + 1) * step]


class Handler(BaseHTTPRequestHandler):
    """Answers as the real ones do, as far as gallery-dl looks."""

    protocol_version = "HTTP/1.1"

    @property
    def booru(self) -> Booru:
        return self.server.booru

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        # as a proxy for https: whatever host was asked for, this server answers
        self.send_response(200)
        self.end_headers()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.booru.certificate)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(address.query, keep_blank_values=True).items()}
        self.booru.requests.append((address.path, query))
        fault = self.booru.next_fault(address.path)
        if fault.isdigit():
            return self.answer(b"busy", "text/plain", int(fault))
        if fault == "slow":
            time.sleep(0.5)
        if fault == "html":
            return self.answer(b"<!doctype html><title>Blocked</title>", "text/html")
        if fault == "garbage":
            return self.answer(b'{"half', "application/json")
        if address.path.startswith("/files/"):
            return self.send_file(address.path, cut=fault == "cut")
        return self.send_api(address.path, query)

    def send_api(self, path: str, query: dict[str, str]) -> None:
        if path == "/posts.json":
            page, below = query.get("page") or "1", 0
            if page.startswith("b"):
                page, below = "1", int(page[1:])
            found = self.booru.search(query.get("tags", ""), int(page) - 1, int(query["limit"]), below)
            return self.answer(json.dumps([self.danbooru(post) for post in found]).encode(), "application/json")
        if path == "/post.json":
            # its s is safe
            query["tags"] = query["tags"].replace("rating:s", "rating:g")
            found = self.posts(query, "page", 1)
            return self.answer(json.dumps([self.moebooru(post) for post in found]).encode(), "application/json")
        if path == "/index.php" and query.get("page") == "dapi":
            found = self.posts(query, "pid", 0)
            if query.get("json"):
                body = {"@attributes": {"count": len(found)}, "post": [self.gelbooru(post) for post in found]}
                return self.answer(json.dumps(body).encode(), "application/json")
            rows = "".join(
                "<post {}/>".format(
                    " ".join(f"{key}={quoteattr(str(value))}" for key, value in self.gelbooru(post).items())
                )
                for post in found
            )
            count = len(self.booru.matching(query.get("tags", ""))) if "id" not in query else 1
            return self.answer(f'<posts count="{count}">{rows}</posts>'.encode(), "application/xml")
        if path == "/index.php" or path.startswith("/post/show/"):
            return self.send_page(int(query.get("id") or path.rsplit("/", 1)[-1]))
        return self.answer(b"nothing", "text/plain", 404)

    def posts(self, query: dict[str, str], page: str, first: int) -> list[FakePost]:
        words = query.get("tags", "").split()
        number = query.get("id") or next(
            (word[3:] for word in words if word.startswith("id:") and word[3:].isdigit()), ""
        )
        if number:
            return [post for post in self.booru.posts if post.id == int(number)]
        return self.booru.search(query.get("tags", ""), int(query.get(page) or first) - first, int(query["limit"]))

    def send_page(self, number: int) -> None:
        (found,) = (post for post in self.booru.posts if post.id == number)
        items = "".join(
            f'<li class="tag-type-{"metadata" if category == "meta" else category}"><a href="/x?page=post&amp;tags={escape(tag)}">{escape(tag)}</a></li>\n'
            for category, tags in found.tags.items()
            for tag in tags
        )
        self.answer(f'<html><ul id="tag-sidebar">{items}</ul></html>'.encode(), "text/html")

    def address(self, post: FakePost) -> str:
        return f"{self.booru.root}/files/{post.name}"

    def danbooru(self, post: FakePost) -> dict:
        lists = {f"tag_string_{category}": " ".join(tags) for category, tags in post.tags.items()}
        return lists | {
            "id": post.id, "tag_string": " ".join(post.all_tags), "rating": post.rating, "score": post.score,
            "source": post.source, "md5": post.md5, "created_at": "2023-01-01T00:00:00.000-05:00",
            "file_url": self.address(post),
        }  # fmt: skip

    def gelbooru(self, post: FakePost) -> dict:
        return {
            "id": post.id, "tags": " ".join(post.all_tags), "rating": WORDS[post.rating], "score": post.score,
            "source": post.source, "md5": post.md5, "created_at": "Sun Jan 01 00:00:00 -0600 2023",
            "file_url": self.address(post), "preview_url": self.address(post),
        }  # fmt: skip

    def moebooru(self, post: FakePost) -> dict:
        return {
            "id": post.id, "tags": " ".join(post.all_tags), "rating": {"g": "s"}.get(post.rating, post.rating),
            "score": post.score, "source": post.source, "md5": post.md5, "created_at": 1672531200,
            "file_url": self.address(post),
        }  # fmt: skip

    def send_file(self, path: str, cut: bool) -> None:
        found = [post for post in self.booru.posts if f"/files/{post.name}" == path]
        if not found:
            return self.answer(b"gone", "text/plain", 404)
        content, start = found[0].content, 0
        if self.headers["Range"]:
            self.booru.resumed.append(path)
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        headers = {"Last-Modified": formatdate(1672531200, usegmt=True)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if not cut:
            return self.answer(content[start:], "image/png", 206 if start else 200, headers)
        self.answer(content[start:], "image/png", 206 if start else 200, headers, send=len(content) // 2)
        self.close_connection = True
        return None

    def answer(
        self, body: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None, send: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:send])


class Server(ThreadingHTTPServer):
    """The server on a free port of the loopback, in a thread of its own."""

    daemon_threads = True

    def __init__(self, booru: Booru) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.booru = booru
        booru.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        super().__exit__(*error)

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up is what some tests are about


def quick_gallery_dl(home: Path, **options: object) -> dict[str, str]:
    """The environment of a user whose gallery-dl does not wait between requests; `options` join that configuration."""
    settings = {"sleep-request": 0, "sleep-retries": 0.05, "sleep-429": 0.05, "timeout": 10, **options}
    (home / "gallery-dl").mkdir(parents=True, exist_ok=True)
    (home / "gallery-dl/config.json").write_text(json.dumps({"extractor": settings}), encoding="utf-8")
    return {
        "XDG_CONFIG_HOME": str(home),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
