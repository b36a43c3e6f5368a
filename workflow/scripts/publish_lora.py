"""Copies the chosen epoch of a LoRA to the webui's folder."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.publishing import publish_lora
    from loramake.settings import read_slice

    publish_lora(
        Path(snakemake.input.lora),
        Path(snakemake.output.listing),
        **read_slice(snakemake.input.settings, snakemake.params.digest),
        # an empty list where the config names an epoch
        pick=Path(snakemake.input.pick) if snakemake.input.pick else None,
    )
