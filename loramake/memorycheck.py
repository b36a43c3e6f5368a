"""Whether estimated memory fits into what a machine has: refused where it plainly does not, warned of where tight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loramake.capabilities import Capabilities, choose_device, choose_precision
from loramake.errors import UserError
from loramake.estimates import in_gib, rendering_memory, training_memory
from loramake.modelfacts import ModelFacts
from loramake.recipe import Recipe
from loramake.remedies import list_remedies, list_rendering_remedies

# An estimate may be this much over what is there before a job is refused: it is no measurement.
TOLERANCE = 1.15


@dataclass(frozen=True)
class Needs:
    """Estimated memory of a job.

    Attributes:
        what: the job, with the settings that the estimate hangs on.
        device: cuda, mps or cpu.
        size: bytes.
        remedies: settings that help, the best first.
    """

    what: str
    device: str
    size: int
    remedies: Sequence[str]


def training_needs(recipe: Recipe, model: ModelFacts, device: str, machine: Capabilities) -> Needs:
    """Of a training; raises UserError where device or precision are not there."""
    place = choose_device(device, machine)
    precision = choose_precision(recipe.mixed_precision, place, machine)
    rank, batch = recipe.network_dim, recipe.train_batch_size
    what = f"training, network_dim {rank}, train_batch_size {batch}, {recipe.resolution} px"
    size = training_memory(recipe, model, precision, place)
    return Needs(what, place, size, list_remedies(recipe, place, precision))


def rendering_needs(settings: Mapping[str, object], model: ModelFacts, device: str, machine: Capabilities) -> Needs:
    """Of drawing cells, LoRAs left out, since nothing is known of them here; raises UserError without the device."""
    place = choose_device(device, machine)
    half = choose_precision("auto", place, machine) != "no"
    width, height, batch = (int(settings[key]) for key in ("width", "height", "batch_size"))
    size = rendering_memory(model, 0, width=width, height=height, batch_size=batch, half=half, device=place)
    what = f"drawing, grid.batch_size {batch}, {width}x{height}"
    return Needs(what, place, size, list_rendering_remedies(width, height, batch))


def check_memory(needs: Sequence[Needs], machine: Capabilities, refusals: list[UserError]) -> list[str]:
    """Add a refusal for each job that cannot fit; returns what to tell of the others, each once."""
    told = []
    for need in needs:
        card = machine.cards[0] if need.device == "cuda" else None
        total, free = (card.memory, card.free) if card else (machine.ram, machine.ram_free)
        where = card.name if card else "this machine"
        if need.size > total * TOLERANCE:
            refusals.append(
                UserError(
                    f"There is too little {'VRAM' if card else 'memory'} for {need.what}.",
                    found=f"{in_gib(total)} on {where}",
                    expected=f"about {in_gib(need.size)}",
                    setting="; then ".join(need.remedies[:3]),
                )
            )
            continue
        line = f"{need.what}: about {in_gib(need.size)} of {in_gib(total)} on {where}"
        if need.size > free:
            line += f"; warning: only {in_gib(free)} are free now. What helps: " + "; then ".join(need.remedies[:3])
        told.append(line)
    return list(dict.fromkeys(told))
