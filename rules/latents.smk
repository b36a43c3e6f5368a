# The VAE's view of the dataset, computed once per picture.


rule cache_latents:
    input:
        dataset="dataset/{character}",
        reg=regularisation,
        reg_choice=regularisation_choice,
        models=model_manifests("latents"),
        settings=settings_file("latents"),
    output:
        latents=directory("work/latents/{character}"),
    log:
        "logs/cache_latents/{character}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        gpu=1,
    params:
        digest=settings_digest("latents"),
        cache="work/cache/latents/{character}",
    script:
        "../workflow/scripts/cache_latents.py"
