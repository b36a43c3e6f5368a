# make for LoRAs: raw downloads in, trained LoRAs and epoch x weight grids out.
#
#   snakemake --cores 1                                        grids of all characters in config/config.yaml
#   snakemake --cores 1 grids/shimakaze.png                    one of them
#   snakemake --cores 1 grids/shimakaze/unet_lr=5e-4.png       the same with another learning rate
#   snakemake --cores 1 grids/shimakaze/sweep/unet_lr=5e-4+1e-3.png    two learning rates side by side
#   snakemake --cores 1 loras/shimakaze/base                   the LoRA alone, one file an epoch
#   snakemake --cores 1 loras/shimakaze/base-000006.safetensors
#   snakemake --cores 1 work/pick/shimakaze/base.json          which epoch and weight to use, and why
#   snakemake --cores 1 dataset/shimakaze                      the dataset alone
#   snakemake --cores 1 reports/shimakaze/dataset.html         a page on what became of each raw file, and why
#   snakemake --cores 1 reports/shimakaze.html                 a page on the LoRAs: the pick, grids to compare, curves, hashes
from snakemake.utils import min_version

min_version("9.10")


configfile: "config/config.yaml"


# what `snakemake --report report.html` begins with
report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/names.smk"


rule all:
    default_target: True
    input:
        expand("grids/{character}.png", character=CONFIG["characters"]),
        expand("grids/{character}/base/{sheet}.png", character=CONFIG["characters"], sheet=CONFIG["grid"]["sheets"]),
        expand("grids/{character}/sweep/{sweep}.png", character=CONFIG["characters"], sweep=CONFIG["sweeps"]),


include: "rules/download.smk"
include: "rules/dataset.smk"
include: "rules/latents.smk"
include: "rules/train.smk"
include: "rules/shown.smk"
include: "rules/grids.smk"
include: "rules/sheets.smk"
include: "rules/reported.smk"
include: "rules/pick.smk"
include: "rules/report.smk"
include: "rules/preflight.smk"
