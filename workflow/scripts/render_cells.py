"""Draws the cells of a grid; cells drawn before are linked."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.rendering import render_cells
    from loramake.settings import read_slice

    render_cells(
        Path(snakemake.input.lora),
        Path(snakemake.output.cells),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        threads=snakemake.threads,
    )
