"""Puts regularisation pictures into kohya's folder layout."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.regularisation import build_regularisation
    from loramake.settings import read_slice

    build_regularisation(
        Path(snakemake.input.manifest),
        Path(snakemake.output.dataset),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        threads=snakemake.threads,
    )
