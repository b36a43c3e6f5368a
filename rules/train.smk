# One job a variant. The run itself lives in work/runs/{fingerprint}, so that equal settings never train twice.


rule train_lora:
    input:
        dataset="dataset/{character}",
        reg=regularisation,
        reg_choice=regularisation_choice,
        latents="work/latents/{character}",
        models=model_manifests("train"),
        settings=settings_file("train"),
    output:
        lora=report(
            directory("loras/{character}/{variant}"),
            # a pattern without a wildcard finds nothing
            patterns=["{plot}.png"],
            caption="../workflow/report/losses.rst",
            category="LoRA",
            subcategory="{character}",
            labels={"what": "losses, {variant}"},
        ),
    log:
        "logs/train_lora/{character}/{variant}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        # cards; on one machine the profile's limit decides, on a cluster these are asked for
        gpu=CONFIG["train"]["num_processes"],
    params:
        digest=settings_digest("train"),
        runs="work/runs",
        title=lora_title,
    script:
        "../workflow/scripts/train_lora.py"


rule export_epoch:
    input:
        lora=exported_lora,
    output:
        epoch="loras/{character}/{variant}-{epoch}.safetensors",
    log:
        "logs/export_epoch/{character}/{variant}-{epoch}.log",
    conda:
        "../envs/cpu.yaml"
    script:
        "../workflow/scripts/export_epoch.py"


rule publish_lora:
    input:
        lora="loras/{character}/{variant}",
        pick=publish_pick,
        settings=settings_file("publish"),
    output:
        listing="work/published/{character}/{variant}.txt",
    log:
        "logs/publish_lora/{character}/{variant}.log",
    conda:
        "../envs/cpu.yaml"
    params:
        digest=settings_digest("publish"),
    script:
        "../workflow/scripts/publish_lora.py"


rule publish:
    input:
        expand("work/published/{character}/base.txt", character=CONFIG["characters"]),
