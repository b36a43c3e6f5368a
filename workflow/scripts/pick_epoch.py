"""Recommends an epoch and a weight of a variant."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.pickingrun import pick_epoch
    from loramake.settings import read_slice

    pick_epoch(
        Path(snakemake.input.lora),
        Path(snakemake.input.cells),
        Path(snakemake.input.dataset),
        Path(snakemake.input.latents),
        Path(snakemake.output.pick),
        Path(snakemake.output.plot),
        Path(snakemake.params.cache),
        character=snakemake.wildcards.character,
        variant=snakemake.wildcards.variant,
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        threads=snakemake.threads,
    )
