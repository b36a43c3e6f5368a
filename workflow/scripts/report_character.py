"""Shows which LoRA to use, and why, on one page."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.overview import VariantFiles, report_character
    from loramake.settings import read_slice

    found = snakemake.input
    rows = zip(
        snakemake.params.variants, found.loras, found.cells, found.train_settings, found.cells_settings, strict=True
    )
    variants = [
        VariantFiles(name, Path(lora), Path(cells), None, {"train": Path(train), "cells": Path(drawing)})
        for name, lora, cells, train, drawing in rows
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
