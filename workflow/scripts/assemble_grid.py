"""Lays the cells out as one labelled picture."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.settings import read_slice
    from loramake.sheets import assemble_grid

    assemble_grid(
        Path(snakemake.input.cells),
        Path(snakemake.output.grid),
        # what follows work/cells/, work/sheets/ or work/sweeps/
        heading=" · ".join(Path(snakemake.input.cells).parts[2:]),
        # a name stands for one file or for none
        picks=[Path(path) for path in snakemake.input.get("picks", [])],
        **read_slice(snakemake.input.settings, snakemake.params.digest),
    )
