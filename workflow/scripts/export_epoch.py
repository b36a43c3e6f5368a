"""Links one epoch of a LoRA out of its folder, under a name of its own."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.epochs import export_epoch

    export_epoch(Path(snakemake.input.lora), int(snakemake.wildcards.epoch), Path(snakemake.output.epoch))
