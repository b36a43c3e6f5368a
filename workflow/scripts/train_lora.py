"""Trains one variant, or links the finished run with the same inputs."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.settings import read_slice
    from loramake.training import train_lora

    train_lora(
        Path(snakemake.input.dataset),
        Path(snakemake.input.latents),
        Path(snakemake.output.lora),
        Path(snakemake.params.runs),
        name=snakemake.wildcards.character,
        title=snakemake.params.title,
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        # an empty list for a character without regularisation pictures
        reg_dir=Path(snakemake.input.reg) if snakemake.input.reg else None,
        threads=snakemake.threads,
    )
