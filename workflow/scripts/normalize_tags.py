"""Writes one tidy tag file for every picture that was kept."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.captions import normalize_tags
    from loramake.settings import read_slice

    normalize_tags(
        Path(snakemake.input.manifest),
        Path(snakemake.input.screen),
        Path(snakemake.input.images),
        Path(snakemake.params.edits) if snakemake.params.edits else None,
        Path(snakemake.input.autotags) if snakemake.input.autotags else None,
        Path(snakemake.output.captions),
        Path(snakemake.output.tag_table),
        Path(snakemake.output.caption_table),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
    )
