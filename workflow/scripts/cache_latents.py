"""Encodes every picture of the dataset once."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.latents import cache_latents
    from loramake.settings import read_slice

    cache_latents(
        Path(snakemake.input.dataset),
        Path(snakemake.output.latents),
        Path(snakemake.params.cache),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        # an empty list for a character without regularisation pictures
        reg_dir=Path(snakemake.input.reg) if snakemake.input.reg else None,
        threads=snakemake.threads,
    )
