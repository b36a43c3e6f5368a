"""Asks the tagger about the pictures that have no tags."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.autotags import autotag_images
    from loramake.settings import read_slice

    autotag_images(
        Path(snakemake.input.manifest),
        Path(snakemake.output.tags),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        threads=snakemake.threads,
    )
