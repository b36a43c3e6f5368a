"""Shows which LoRA to use, and why, on one page."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.overview import VariantFiles, report_character
    from loramake.settings import read_slice

    found = snakemake.input
    slices = {"train": found.train_settings, "cells": found.cells_settings, "pick": found.pick_settings}
    folders = zip(snakemake.params.variants, found.loras, found.cells, found.picks, strict=True)
    variants = [
        VariantFiles(name, *map(Path, paths), {stage: Path(each[number]) for stage, each in slices.items()})
        for number, (name, *paths) in enumerate(folders)
    ]
    stages = ("screen", "clean", "tags", "dataset", "latents")
    report_character(
        variants,
        Path(found.dataset),
        Path(snakemake.output.html),
        Path(snakemake.params.runs),
        Path(snakemake.params.cache),
        character=snakemake.wildcards.character,
        **read_slice(found.settings, snakemake.params.digest),
        settings={stage: Path(found[f"{stage}_settings"]) for stage in stages},
        threads=snakemake.threads,
    )
