# What is missing is said before the first job. A handler and not a rule: it knows which jobs will run, runs before all
# of them, not in dry runs, and makes nothing stale. Where jobs run on other machines, each looks at its own.
import subprocess

STAGES_CHECKED = {
    "clean_images": "clean",
    "autotag_images": "autotag",
    "cache_latents": "latents",
    "train_lora": "train",
    "render_cells": "cells",
    "pick_epoch": "pick",
    "publish_lora": "publish",
}


def planned_sheet(wildcards):
    """A grid with axes of its own as preflight reads it: one job a base model, with as many cells as that draws."""
    sheet, shown = planned(wildcards)
    values, models = stage_values("cells", wildcards.character, shown[0]), drawing_models(sheet)
    count = sheetplans.count_cells(sheet, CONFIG["train"]["max_train_epochs"]) // len(models)
    values |= {"prompts": [""], "seeds": [0], "weights": "1", "epochs": list(range(count))}
    named = (
        f"grid.sheets.{sheet.name}"
        if sheet.values("model")
        else "grid.model" if CONFIG["grid"]["model"] else "base_model"
    )
    return [{"stage": "cells", "settings": {**values, "base_model": model}, "model_setting": named} for model in models]


INPUTS_OF_TRAINING = ("build_dataset", "build_regularisation", "cache_latents")


def training_inputs(job):
    """Where a training finds what it is made of."""
    paths = {"dataset": job.input.dataset, "latents": job.input.latents, "reg": job.input.reg or ""}
    return {"character": job.wildcards.character, "runs": "work/runs"} | {k: str(path) for k, path in paths.items()}


def planned_work():
    """The jobs of this run that need models, a device or an outside folder, as preflight reads them."""
    jobs = []
    needed = list(workflow.dag.needrun_jobs())
    remade = {job.wildcards.character for job in needed if job.rule.name in INPUTS_OF_TRAINING}
    for job in needed:
        if job.rule.name in ("render_sheet", "render_sweep"):
            jobs += planned_sheet(job.wildcards)
        stage = STAGES_CHECKED.get(job.rule.name)
        if stage:
            named = "grid.model" if stage == "cells" and CONFIG["grid"]["model"] else "base_model"
            values = stage_values(stage, job.wildcards.character, job.wildcards.get("variant", ""))
            inputs = training_inputs(job) if stage == "train" and job.wildcards.character not in remade else {}
            jobs.append({"stage": stage, "settings": values, "model_setting": named, "inputs": inputs})
    return jobs


def check_before_start():
    """End Snakemake with one message where something is missing."""
    jobs = planned_work()
    if not jobs:
        return
    here = workflow.local_exec and not workflow.deployment_settings.deployment_method
    files.write_text(Path("work/preflight.json"), files.to_json({"here": here, "jobs": jobs}))
    # a process of its own, since torch would stay in this one
    command = [sys.executable, "-m", "loramake.preflight", "work/preflight.json", "logs/preflight.log"]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}).returncode:
        raise SystemExit(1)


onstart:
    check_before_start()
