# What became of each raw file, and which LoRA to use: pages to look at.


rule report_dataset:
    input:
        manifest=raw_manifest,
        autotags=autotags,
        screen="work/screen/{character}.tsv",
        summary="work/screen/{character}.summary.tsv",
        edits=edits_manifest,
        images="work/clean/{character}",
        tag_table="work/tags/{character}.tags.tsv",
        caption_table="work/tags/{character}.captions.tsv",
        dataset="dataset/{character}",
        settings=settings_file("report"),
    output:
        html=report(
            "reports/{character}/dataset.html",
            caption="../workflow/report/dataset.rst",
            category="Dataset",
            subcategory="{character}",
            labels={"what": "the whole set"},
        ),
    log:
        "logs/report_dataset/{character}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 8
    params:
        edits=edits_file,
        digest=settings_digest("report"),
        cache="work/cache/report/{character}",
    script:
        "../workflow/scripts/report_dataset.py"


rule report_character:
    input:
        loras=of_each_variant("loras/{character}/{variant}"),
        cells=of_each_variant("work/cells/{character}/{variant}"),
        picks=of_each_variant("work/pick/{character}/{variant}.json"),
        train_settings=variant_settings("train"),
        cells_settings=variant_settings("cells"),
        pick_settings=variant_settings("pick"),
        screen_settings=settings_file("screen"),
        clean_settings=settings_file("clean"),
        tags_settings=settings_file("tags"),
        dataset_settings=settings_file("dataset"),
        latents_settings=settings_file("latents"),
        dataset="reports/{character}/dataset.html",
        settings=report_settings,
    output:
        html=report(
            "reports/{character}.html",
            caption="../workflow/report/overview.rst",
            category="LoRA",
            subcategory="{character}",
            labels={"what": "all variants"},
        ),
    log:
        "logs/report_character/{character}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 8
    params:
        variants=reported_variants,
        digest=report_digest,
        runs="work/runs",
        cache="work/cache/overview/{character}",
    script:
        "../workflow/scripts/report_character.py"


# base and one variant side by side, whether or not the config names it
use rule report_character as report_variant with:
    output:
        html=report(
            "reports/{character}/{variant}.html",
            caption="../workflow/report/overview.rst",
            category="LoRA",
            subcategory="{character}",
            labels={"what": "{variant} beside base"},
        ),
    log:
        "logs/report_character/{character}/{variant}.log",
    wildcard_constraints:
        variant="[^/,]+=[^/,]+",
    params:
        variants=reported_variants,
        digest=report_digest,
        runs="work/runs",
        cache="work/cache/overview/{character}/{variant}",
