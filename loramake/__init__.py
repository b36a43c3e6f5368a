"""loramake: make for LoRAs. The package knows nothing of Snakemake; the rules call it."""

__version__ = "0.1.0"
