"""Draws the cells of a grid with axes of one's own; cells that any grid has drawn before are linked."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.settings import read_slice
    from loramake.sheetcells import render_sheet

    render_sheet(
        {Path(path).name: Path(path) for path in snakemake.input.loras},
        {Path(path).stem: Path(path) for path in snakemake.input.picks},
        Path(snakemake.output.cells),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        threads=snakemake.threads,
    )
