"""Shows what became of each raw file, and why, on one page."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.report import report_dataset
    from loramake.settings import read_slice

    report_dataset(
        Path(snakemake.input.manifest),
        Path(snakemake.input.screen),
        Path(snakemake.input.summary),
        Path(snakemake.params.edits) if snakemake.params.edits else None,
        Path(snakemake.input.images),
        Path(snakemake.input.tag_table),
        Path(snakemake.input.caption_table),
        Path(snakemake.input.dataset),
        Path(snakemake.output.html),
        Path(snakemake.params.cache),
        character=snakemake.wildcards.character,
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        autotags=Path(snakemake.input.autotags) if snakemake.input.autotags else None,
        threads=snakemake.threads,
    )
