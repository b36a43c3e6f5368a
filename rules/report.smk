# What became of each raw file, to look at.


rule report_dataset:
    input:
        manifest=raw_manifest,
        autotags=autotags,
        screen="work/screen/{character}.tsv",
        edits=edits_manifest,
        images="work/clean/{character}",
        dataset="dataset/{character}",
        settings=settings_file("report"),
    output:
        html="reports/{character}/dataset.html",
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
