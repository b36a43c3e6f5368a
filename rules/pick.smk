# Which epoch and weight to use, and why.


rule pick_epoch:
    input:
        lora="loras/{character}/{variant}",
        cells="work/cells/{character}/{variant}",
        dataset="dataset/{character}",
        latents="work/latents/{character}",
        models=model_manifests("pick"),
        tagger=tagger_models,
        settings=settings_file("pick"),
    output:
        pick="work/pick/{character}/{variant}.json",
        plot=report(
            "work/pick/{character}/{variant}.png",
            caption="../workflow/report/pick.rst",
            category="LoRA",
            subcategory="{character}",
            labels={"what": "pick, {variant}"},
        ),
    log:
        "logs/pick_epoch/{character}/{variant}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        gpu=1,
    params:
        digest=settings_digest("pick"),
        cache="work/cache/pick/{character}",
    script:
        "../workflow/scripts/pick_epoch.py"


rule pick:
    input:
        expand("work/pick/{character}/base.json", character=CONFIG["characters"]),
