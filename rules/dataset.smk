# Raw downloads to a dataset in kohya's layout.


rule autotag_images:
    input:
        manifest=raw_manifest,
        tagger=tagger_manifests,
        settings=settings_file("autotag"),
    output:
        tags=directory("work/autotags/{character}"),
    log:
        "logs/autotag_images/{character}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        gpu=1,
    params:
        digest=settings_digest("autotag"),
        cache="work/cache/autotags/{character}",
    script:
        "../workflow/scripts/autotag_images.py"


rule screen_images:
    input:
        manifest=raw_manifest,
        autotags=autotags,
        tagger=tagger_choice,
        edits=edits_manifest,
        settings=settings_file("screen"),
    output:
        tsv="work/screen/{character}.tsv",
        summary="work/screen/{character}.summary.tsv",
        sheet=report(
            "work/screen/{character}.png",
            caption="../workflow/report/screening.rst",
            category="Dataset",
            subcategory="{character}",
            labels={"what": "screening"},
        ),
    log:
        "logs/screen_images/{character}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 8
    params:
        edits=edits_file,
        digest=settings_digest("screen"),
        cache="work/cache/screen/{character}",
    script:
        "../workflow/scripts/screen_images.py"


rule clean_images:
    input:
        manifest=raw_manifest,
        screen="work/screen/{character}.tsv",
        edits=edits_manifest,
        settings=settings_file("clean"),
    output:
        images=directory("work/clean/{character}"),
        sheet=report(
            "work/clean/{character}.png",
            caption="../workflow/report/cleaning.rst",
            category="Dataset",
            subcategory="{character}",
            labels={"what": "cleaning"},
        ),
    log:
        "logs/clean_images/{character}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 8
    params:
        edits=edits_file,
        digest=settings_digest("clean"),
        cache="work/cache/clean/{character}",
        survey="work/cache/screen/{character}",
    script:
        "../workflow/scripts/clean_images.py"


rule normalize_tags:
    input:
        manifest=raw_manifest,
        autotags=autotags,
        tagger=tagger_choice,
        screen="work/screen/{character}.tsv",
        images="work/clean/{character}",
        edits=edits_manifest,
        tag_list=tag_list_manifest,
        settings=settings_file("tags"),
    output:
        captions=directory("work/tags/{character}"),
        tag_table=report(
            "work/tags/{character}.tags.tsv",
            caption="../workflow/report/tags.rst",
            category="Dataset",
            subcategory="{character}",
            labels={"what": "tags"},
        ),
        caption_table="work/tags/{character}.captions.tsv",
    log:
        "logs/normalize_tags/{character}.log",
    conda:
        "../envs/cpu.yaml"
    params:
        edits=edits_file,
        digest=settings_digest("tags"),
    script:
        "../workflow/scripts/normalize_tags.py"


rule build_dataset:
    input:
        manifest=raw_manifest,
        screen="work/screen/{character}.tsv",
        images="work/clean/{character}",
        tags="work/tags/{character}",
        edits=edits_manifest,
        settings=settings_file("dataset"),
    output:
        dataset=directory("dataset/{character}"),
    log:
        "logs/build_dataset/{character}.log",
    conda:
        "../envs/cpu.yaml"
    params:
        edits=edits_file,
        digest=settings_digest("dataset"),
    script:
        "../workflow/scripts/build_dataset.py"


rule build_regularisation:
    input:
        manifest=regularisation_manifest,
        settings=settings_file("regularisation"),
    output:
        dataset=directory("dataset_reg/{character}"),
    log:
        "logs/build_regularisation/{character}.log",
    conda:
        "../envs/cpu.yaml"
    threads: 8
    params:
        digest=settings_digest("regularisation"),
    script:
        "../workflow/scripts/build_regularisation.py"


rule count_steps:
    input:
        dataset="dataset/{character}",
        reg=regularisation,
        reg_choice=regularisation_choice,
        settings=settings_file("steps"),
    output:
        table="work/steps/{character}/{variant}.tsv",
    log:
        "logs/count_steps/{character}/{variant}.log",
    conda:
        "../envs/cpu.yaml"
    params:
        digest=settings_digest("steps"),
    script:
        "../workflow/scripts/count_steps.py"
