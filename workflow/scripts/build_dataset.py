"""Puts pictures and tag files into kohya's folder layout."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.folding import build_dataset
    from loramake.settings import read_slice

    build_dataset(
        Path(snakemake.input.manifest),
        Path(snakemake.input.screen),
        Path(snakemake.input.images),
        Path(snakemake.input.tags),
        Path(snakemake.params.edits) if snakemake.params.edits else None,
        Path(snakemake.output.dataset),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
    )
