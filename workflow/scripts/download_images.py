"""Fetches what is new on a character's boorus, and lists its raw folder."""

from pathlib import Path

from loramake.joblog import job_log

with job_log(snakemake.log[0]):
    from loramake.download import download_images
    from loramake.settings import read_slice

    download_images(
        Path(snakemake.output.manifest),
        character=snakemake.wildcards.character,
        digest=snakemake.params.digest,
        **read_slice(snakemake.input.settings, snakemake.params.digest),
    )
