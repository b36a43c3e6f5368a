"""Counts how long the training will be."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.counting import count_steps
    from loramake.settings import read_slice

    count_steps(
        Path(snakemake.input.dataset),
        Path(snakemake.output.table),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        # an empty list for a character without regularisation pictures
        reg_dir=Path(snakemake.input.reg) if snakemake.input.reg else None,
    )
