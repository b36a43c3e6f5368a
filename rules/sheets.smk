# Grids with axes of one's own, and those that compare the variants of a sweep.
# {sheet} is a name in grid.sheets, {sweep} settings with several values or a name in sweeps, {kind} weights or epochs.


wildcard_constraints:
    sheet="[a-z0-9_]+",
    sweep=r"(?:(?!\.png)[^/,])+",
    kind="weights|epochs",


@cache
def plan_sheet(character, variant, sweep, name):
    """The grid that is asked for, and the variants that it shows."""
    character_settings(character)
    if sweep:
        shown = variants.parse_sweep(sweep, SCHEMA, CONFIG["sweeps"])
        return sheetconfig.sweep_sheet(shown, name, CONFIG, SCHEMA), shown
    variants.parse(variant, SCHEMA)
    sheet = sheetconfig.named_sheet(name, CONFIG, SCHEMA)
    shown = sheet.values("variant")
    if shown and variant != variants.BASE:
        raise UserError(
            "This grid has its variants on an axis.",
            found=variant,
            expected=f"grids/{character}/{variants.BASE}/{name}.png",
        )
    return sheet, list(shown) or [variant]


def planned(wildcards):
    """The same for the wildcards of a rule."""
    names = wildcards.get("variant", ""), wildcards.get("sweep", ""), wildcards.get("sheet") or wildcards.get("kind")
    return plan_sheet(wildcards.character, *names)


@plainly
def sheet_loras(wildcards):
    """Input function: the trained LoRAs of all variants that a grid shows."""
    return [f"loras/{wildcards.character}/{name}" for name in planned(wildcards)[1]]


@plainly
def sheet_picks(wildcards):
    """Input function: the recommendations that there are for them."""
    return existing_picks(wildcards.character, planned(wildcards)[1])


@plainly
def sheet_models(wildcards):
    """Input function: the state of every model that its cells are drawn with."""
    sheet, _ = planned(wildcards)
    named = named_models("cells")
    named |= {f"grid.model-{place}": path for place, path in enumerate(sheet.values("model"), start=1)}
    return list_files(named)


@plainly
def sheet_called(wildcards):
    """Input function: the state of every LoRA that its prompts call."""
    sheet, shown = planned(wildcards)
    texts = sheet.texts(character_settings(wildcards.character)["trigger"])
    return sorted({path for name in shown for path in lora_manifests(wildcards.character, name, texts)})


def sheet_text(wildcards):
    """The content of its settings file."""
    sheet, shown = planned(wildcards)
    each = {name: variants.parse(name, SCHEMA) for name in shown}
    values = sheetconfig.sheet_slice(sheet, each, CONFIG, SCHEMA, wildcards.character)
    return settings.slice_text(values, "cells")


@plainly
def sheet_settings(wildcards):
    """Input function: its settings as a file, whose change draws it again."""
    folder = Path("work/settings", wildcards.character, "sheets", wildcards.get("variant", wildcards.get("sweep")))
    name = wildcards.get("sheet") or wildcards.get("kind")
    return write_once((folder / f"{name}.json").as_posix(), sheet_text(wildcards))


@plainly
def sheet_digest(wildcards):
    """Params function: the digest of that file as planned."""
    return settings.digest(sheet_text(wildcards))


rule render_sheet:
    input:
        loras=sheet_loras,
        picks=sheet_picks,
        models=sheet_models,
        called=sheet_called,
        settings=sheet_settings,
    output:
        cells=directory("work/sheets/{character}/{variant}/{sheet}"),
    log:
        "logs/render_sheet/{character}/{variant}/{sheet}.log",
    conda:
        MODEL_ENV
    threads: 8
    resources:
        gpu=1,
    params:
        digest=sheet_digest,
        cache="work/cache/cells/{character}",
    script:
        "../workflow/scripts/render_sheet.py"


use rule render_sheet as render_sweep with:
    output:
        cells=directory("work/sweeps/{character}/{sweep}/{kind}"),
    log:
        "logs/render_sweep/{character}/{sweep}/{kind}.log",


use rule assemble_grid as assemble_sheet with:
    input:
        cells="work/sheets/{character}/{variant}/{sheet}",
        picks=sheet_picks,
        settings=settings_file("sheet"),
    output:
        grid=report(
            "grids/{character}/{variant}/{sheet}.png",
            caption="../workflow/report/sheet.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{variant}, {sheet}"},
        ),
    log:
        "logs/assemble_sheet/{character}/{variant}/{sheet}.log",
    wildcard_constraints:
        variant=r"(?!sweep/)(?:(?!\.safetensors|\.png)[^/,])+",


use rule assemble_grid as assemble_sweep with:
    input:
        cells="work/sweeps/{character}/{sweep}/weights",
        picks=sheet_picks,
        settings=settings_file("sheet"),
    output:
        grid=report(
            "grids/{character}/sweep/{sweep}.png",
            caption="../workflow/report/sheet.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{sweep}"},
        ),
    log:
        "logs/assemble_sweep/{character}/{sweep}.log",


use rule assemble_grid as assemble_sweep_epochs with:
    input:
        cells="work/sweeps/{character}/{sweep}/epochs",
        picks=sheet_picks,
        settings=settings_file("sheet"),
    output:
        grid=report(
            "grids/{character}/sweep/{sweep}/epochs.png",
            caption="../workflow/report/sheet.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{sweep}, epochs"},
        ),
    log:
        "logs/assemble_sweep/{character}/{sweep}.epochs.log",
