"""Decides which raw pictures are used: one row a file."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.screening import screen_images
    from loramake.settings import read_slice

    screen_images(
        Path(snakemake.input.manifest),
        Path(snakemake.params.edits) if snakemake.params.edits else None,
        Path(snakemake.output.tsv),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        autotags=Path(snakemake.input.autotags) if snakemake.input.autotags else None,
        out_summary=Path(snakemake.output.summary),
        out_sheet=Path(snakemake.output.sheet),
        threads=snakemake.threads,
    )
