"""The character's report as HTML: what the outcomes are becomes what the page's template shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from loramake import losscurves, pages
from loramake.cells import weight_text
from loramake.curves import KINDS, short
from loramake.figures import matrices
from loramake.outcomes import Outcome
from loramake.settingstable import Row, compare_settings
from loramake.sweeptables import lay_out_sweeps
from loramake.views import Place, View, list_panels


def render(
    character: str,
    outcomes: Sequence[Outcome],
    settings: Mapping[str, Mapping[str, object]],
    pictures: Mapping[Path, str],
    place: Place,
    sweeps: Mapping[str, Sequence[tuple[str, str]]],
) -> str:
    """The page.

    Args:
        character: heading.
        outcomes: of the variants, the first one first.
        settings: stage → the settings that all variants share.
        pictures: a data URI of each cell.
        place: where the page lies.
        sweeps: name → (a variant's name in the sweep, the variant of `outcomes` that it is), in the sweep's order.
    """
    views = [
        View(each, number % KINDS, list_panels(each, pictures, place), matrices(each.pick))
        for number, each in enumerate(outcomes)
    ]
    first = outcomes[0].grid
    values = {
        "character": character,
        "views": views,
        "best": _best(views),
        "sweeps": lay_out_sweeps(sweeps, {view.name: view for view in views}),
        "place": place,
        "grid": first,
        "loss_plot": losscurves.training_plot(outcomes),
        "check_plot": losscurves.validation_plot(outcomes),
        "loss_table": losscurves.epoch_table(outcomes),
        "settings": _settings(outcomes, settings),
        "shared": [(stage, [Row(key, (value,)) for key, value in found.items()]) for stage, found in settings.items()],
    }
    return pages.render_page("overview", values, {"short": short, "weight": weight_text, "hash": _hash})


def _best(views: Sequence[View]) -> View | None:
    """The variant whose pick scores highest, where several are measured."""
    scored = [view for view in views if view.score is not None]
    return max(scored, key=lambda view: view.score) if len(scored) > 1 else None


def _settings(outcomes: Sequence[Outcome], shared: Mapping[str, object]) -> list[tuple[str, list[Row]]]:
    """Stage → its settings, one row each, one value a variant."""
    stages = list(dict.fromkeys(stage for each in outcomes for stage in each.settings if stage not in shared))
    return [(stage, compare_settings([each.settings.get(stage, {}) for each in outcomes])) for stage in stages]


def _hash(digest: str) -> Markup:
    """A hash that can be told at a glance: its first ten digits stand out."""
    return Markup('<code class="hash"><b>{}</b>{}</code>').format(digest[:10], digest[10:])
