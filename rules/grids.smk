# Pictures of every epoch at every weight, and the sheet that shows them.


def lora_manifests(character, variant, texts):
    """The state of every LoRA that prompts call, the variant's own epochs aside."""
    train = {**CONFIG["train"], **variants.parse(variant, SCHEMA)}
    own = loranames.epoch_names(character, train["max_train_epochs"], train["save_every_n_epochs"])
    called = loranames.needed_files(texts, own, CONFIG["grid"]["lora_dir"])
    return [file_manifest(f"lora-{files.hash_value(name)[:12]}", path.as_posix()) for name, path in called.items()]


@plainly
def called_loras(wildcards):
    """Input function: the state of every LoRA that the grid's prompts call."""
    trigger = character_settings(wildcards.character)["trigger"]
    texts = [prompts.fill_trigger(text, trigger) for text in CONFIG["grid"]["prompts"]]
    return lora_manifests(wildcards.character, wildcards.variant, texts)


@plainly
def picks(wildcards):
    """Input function: the recommendation for a variant, where there is one already."""
    return existing_picks(wildcards.character, [wildcards.get("variant", variants.BASE)])


def existing_picks(character, names):
    """The recommendations that there are for these variants."""
    return [path for name in names if Path(path := f"work/pick/{character}/{name}.json").is_file()]


rule render_cells:
    input:
        lora="loras/{character}/{variant}",
        models=model_manifests("cells"),
        called=called_loras,
        settings=settings_file("cells"),
    output:
        cells=directory("work/cells/{character}/{variant}"),
    log:
        "logs/render_cells/{character}/{variant}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        gpu=1,
    params:
        digest=settings_digest("cells"),
        cache="work/cache/cells/{character}",
    script:
        "../workflow/scripts/render_cells.py"


rule assemble_grid:
    input:
        cells="work/cells/{character}/{variant}",
        picks=picks,
        settings=settings_file("sheet"),
    output:
        grid=report(
            "grids/{character}/{variant}.png",
            caption="../workflow/report/grid.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{variant}"},
        ),
    log:
        "logs/assemble_grid/{character}/{variant}.log",
    conda:
        "../envs/cpu.yaml"
    params:
        digest=settings_digest("sheet"),
    script:
        "../workflow/scripts/assemble_grid.py"


use rule assemble_grid as assemble_base_grid with:
    input:
        cells="work/cells/{character}/base",
        picks=picks,
        settings=settings_file("sheet"),
    output:
        grid=report(
            "grids/{character}.png",
            caption="../workflow/report/grid.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "base"},
        ),
    log:
        "logs/assemble_grid/{character}.log",
