"""Repairs the pictures that screening kept."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.cleaning import clean_images
    from loramake.settings import read_slice

    clean_images(
        Path(snakemake.input.manifest),
        Path(snakemake.input.screen),
        Path(snakemake.params.edits) if snakemake.params.edits else None,
        Path(snakemake.output.images),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        sheet=Path(snakemake.output.sheet),
        survey_dir=Path(snakemake.params.survey),
        threads=snakemake.threads,
    )
