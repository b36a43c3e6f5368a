# Boorus to the raw folder, for characters with `download:`. The pictures are no declared output: they must outlive a failure.


rule download_images:
    input:
        settings=settings_file("download"),
        request=download_request,
    output:
        manifest="work/manifests/{character}.json",
    log:
        "logs/download_images/{character}.log",
    wildcard_constraints:
        character=one_of(DOWNLOADED),
    conda:
        "../envs/cpu.yaml"
    params:
        digest=settings_digest("download"),
    script:
        "../workflow/scripts/download_images.py"
