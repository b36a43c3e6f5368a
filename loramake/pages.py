"""What the HTML reports share: one file that stands alone, no network, no script but the page's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources

import jinja2
from markupsafe import Markup


def render_page(name: str, values: Mapping[str, object], filters: Mapping[str, Callable] | None = None) -> str:
    """A page from its template, styles and script in `loramake/data/report`.

    Args:
        name: of the files `{name}.html`, `.css` and `.js`; the template extends shell.html.
        values: what the template shows; text is escaped.
        filters: of the template, beside the common ones.
    """
    script = _read(f"{name}.js")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    environment.filters |= {
        "visible": visible,
        "number": "{:,}".format,
        "counted": counted,
        "percent": percent,
        **(filters or {}),
    }
    return environment.get_template(f"{name}.html").render(
        style=Markup(_read("shell.css") + _read(f"{name}.css")),
        script=Markup(script),
        policy=policy(script),
        **values,
    )


def policy(script: str) -> str:
    """What a browser may do with the page: nothing from outside, and no script but its own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def visible(text: str) -> str:
    """The text with what has no glyph (line ends, controls, marks that turn the direction) spelled out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def counted(number: int | Sequence, noun: str) -> str:
    """1 picture, 2 pictures, 3,660 pictures; of a sequence its length."""
    number = number if isinstance(number, int) else len(number)
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(share: float) -> str:
    """A share of 0…1 that does not round something to nothing, or nearly all to all."""
    if 0 < share < 0.005:
        return "<1%"
    return f"{min(share, 0.99) if share < 1 else share:.0%}"


def _read(name: str) -> str:
    return resources.files("loramake").joinpath("data/report", name).read_text(encoding="utf-8")
