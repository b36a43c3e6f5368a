"""What is missing for the jobs that are about to run, all of it in one message, before any of them begins.

Called with a file that lists those jobs. Torch is loaded only where graphics cards, a pickled checkpoint or an
optimizer's arguments have to be looked at.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import prod
from pathlib import Path

from loramake.abilities import gather, missing_package, refuse, training_refusals, wanted_packages
from loramake.capabilities import Capabilities, choose_device, probe
from loramake.cells import parse_weights
from loramake.errors import UserError
from loramake.estimates import cells_disk, in_gib, training_disk
from loramake.files import read_json
from loramake.joblog import job_log
from loramake.memorycheck import Needs, check_memory, rendering_needs, training_needs
from loramake.modelfacts import ModelFacts, check_vae, lora_ranks, read_base
from loramake.publishing import check_target
from loramake.recipe import Recipe, make_recipe
from loramake.training import Ground, find_run

MODEL_STAGES = ("latents", "train", "cells", "pick")
TITLE = "Nothing has been started."


@dataclass(frozen=True)
class Planned:
    """A job that is about to run.

    Attributes:
        stage: latents, train, cells, pick, publish, clean or autotag.
        settings: the stage's settings, as its settings file has them.
        model_setting: the config key that names its base model.
        inputs: of a training whose inputs are made already: character, dataset, latents, reg ("" = none), runs.
    """

    stage: str
    settings: Mapping[str, object]
    model_setting: str = "base_model"
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def training(self) -> dict[str, object]:
        """The settings of a training that are a recipe's."""
        return {key.name: self.settings[key.name] for key in fields(Recipe) if key.name in self.settings}

    @property
    def recipe(self) -> Recipe:
        """Of a training."""
        return make_recipe(self.training)

    def is_trained(self) -> bool:
        """Whether its run is finished already: then nothing is computed, whatever this machine has."""
        if self.stage != "train" or not self.inputs:
            return False
        paths = {key: Path(path) for key, path in self.inputs.items() if key != "character" and path}
        models = [str(self.settings[key]) for key in ("base_model", "base_model_config", "vae")]
        name, device = self.inputs["character"], str(self.settings["device"])
        found = gather([], lambda: find_run(Ground(**paths), self.training, name, device, *models))
        return bool(found) and found[0].is_finished()


def check(planned: Sequence[Planned], machine: Capabilities | None, free_disk: int) -> list[str]:
    """Hold jobs against files and machine.

    Args:
        planned: the jobs.
        machine: where they run; None where that is another machine, whose own jobs then look.
        free_disk: bytes that may still be written here.

    Returns:
        what to tell: estimates, and warnings.

    Raises:
        UserError: one message with everything that is wrong.
    """
    refusals: list[UserError] = []
    facts = _check_models(planned, refusals)
    needs: list[Needs] = []
    for job in planned:
        if job.stage == "publish":
            gather(refusals, lambda job=job: check_target(str(job.settings["folder"])))
        if job.stage == "train":
            recipe = gather(refusals, lambda job=job: job.recipe)
            if recipe:
                _check_weights(recipe, refusals)
        if machine and not job.is_trained():
            refusals += _refusals_of(job, machine)
            needs += _needs_of(job, facts, machine)
    told = check_memory(needs, machine, refusals) if machine else []
    told += _check_disk(planned, facts, free_disk, refusals)
    refuse(refusals, TITLE)
    return told


def packages_of(planned: Iterable[Planned]) -> list[str]:
    """Optional modules that the jobs may ask for."""
    names = {"onnxruntime", "rapidocr"}
    for job in planned:
        if job.stage == "train":
            names |= set(gather([], lambda job=job: wanted_packages(job.recipe)) or ())
    return sorted(names)


def _check_models(planned: Sequence[Planned], refusals: list[UserError]) -> dict[str, ModelFacts]:
    """Look at every model file once; sizes by path of those that can be used."""
    facts: dict[str, ModelFacts] = {}
    asked = set()
    for job in planned:
        if job.stage not in MODEL_STAGES:
            continue
        path, vae = str(job.settings["base_model"]), str(job.settings.get("vae", ""))
        needs_vae = not vae and job.stage not in ("train", "pick")
        if (path, needs_vae) not in asked:
            asked.add((path, needs_vae))
            found = gather(
                refusals,
                lambda path=path, needs=needs_vae, job=job: read_base(path, needs_vae=needs, setting=job.model_setting),
            )
            facts |= {path: found} if found else {}
        if vae and vae not in asked:
            asked.add(vae)
            gather(refusals, lambda vae=vae: check_vae(vae))
    return facts


def _check_weights(recipe: Recipe, refusals: list[UserError]) -> None:
    """The LoRA to go on from, and the optimizer's arguments."""
    if recipe.network_weights:
        ranks = gather(refusals, lambda: lora_ranks(recipe.network_weights))
        if ranks and ranks != {recipe.network_dim}:
            found = ", ".join(map(str, sorted(ranks)))
            refusals.append(
                UserError(
                    "This LoRA has another rank.",
                    file=recipe.network_weights,
                    found=f"rank {found}",
                    expected=f"rank {recipe.network_dim}",
                    setting=f"train.network_dim: {found}",
                )
            )


def _refusals_of(job: Planned, machine: Capabilities) -> list[UserError]:
    """What this machine cannot do for a job."""
    refusals: list[UserError] = []
    if job.stage == "train" and (recipe := gather([], lambda: job.recipe)):
        refusals += training_refusals(recipe, str(job.settings["device"]), machine)
        arguments = gather(refusals, recipe.optimizer_arguments)
        if arguments and not refusals:
            from loramake.optimizing import check_arguments  # torch: a second

            gather(refusals, lambda: check_arguments(recipe.optimizer_type, arguments))
    elif job.stage in MODEL_STAGES:
        gather(refusals, lambda: choose_device(str(job.settings["device"]), machine))
        if job.stage == "pick" and job.settings["model"]:
            refusals += missing_package("onnxruntime", machine, 'autotag.model: ""')
    elif job.stage == "clean" and job.settings["text"] != "ignore":
        refusals += missing_package("rapidocr", machine, "clean.text: ignore")
    elif job.stage == "autotag":
        refusals += missing_package("onnxruntime", machine, 'autotag.model: ""')
    return refusals


def _needs_of(job: Planned, facts: Mapping[str, ModelFacts], machine: Capabilities) -> list[Needs]:
    """The memory that a job takes, where its model is known."""
    model = facts.get(str(job.settings.get("base_model", "")))
    if not model or job.stage not in ("train", "cells"):
        return []
    make = training_needs if job.stage == "train" else rendering_needs
    subject = gather([], lambda: job.recipe) if job.stage == "train" else job.settings
    needs = subject and gather([], lambda: make(subject, model, str(job.settings["device"]), machine))
    return [needs] if needs else []


def _check_disk(
    planned: Sequence[Planned], facts: Mapping[str, ModelFacts], free: int, refusals: list[UserError]
) -> list[str]:
    """Refuse where the disk is too small for all jobs together; returns what to tell."""
    size = 0
    for job in planned:
        model = facts.get(str(job.settings.get("base_model", "")))
        if job.stage == "train" and model and (recipe := gather([], lambda job=job: job.recipe)):
            size += training_disk(recipe, model)
        if job.stage == "cells":
            size += _cells_size(job.settings)
    if size > free:
        refusals.append(
            UserError(
                "There is too little space on the disk.",
                file=Path.cwd(),
                found=f"{in_gib(free)} free",
                expected=f"about {in_gib(size)}",
                setting="free some; or train.save_every_n_epochs, train.network_dim, save_precision: fp16; work/cache "
                "and old runs in work/runs can be deleted",
            )
        )
    return [f"disk: about {in_gib(size)} of {in_gib(free)} free"] if size else []


def _cells_size(settings: Mapping[str, object]) -> int:
    """Disk for the cells of a grid; of epochs that are not listed there are ten."""
    axes = [settings["prompts"], settings["seeds"], parse_weights(settings["weights"])]
    axes.append(range(10) if settings["epochs"] == "all" else settings["epochs"])
    return cells_disk(prod(map(len, axes)), int(settings["width"]), int(settings["height"]))


def main(plan: Path, log: Path) -> None:
    """Check the jobs that a file lists; ends the process with status 1 and one message where something is wrong.

    Args:
        plan: JSON: "jobs", each with the attributes of `Planned`; "here": whether they run on this machine.
        log: gets what is printed.
    """
    with job_log(log):
        content = read_json(plan)
        planned = [Planned(**job) for job in content["jobs"]]
        devices = {str(job.settings["device"]) for job in planned if "device" in job.settings}
        device = "cpu" if devices <= {"cpu"} else "auto"
        machine = probe(packages_of(planned), device=device) if content["here"] else None
        for line in check(planned, machine, shutil.disk_usage(".").free):
            print(f"preflight: {line}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
