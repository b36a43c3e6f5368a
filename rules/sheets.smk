# Grids with axes of one's own, and those that compare the variants of a sweep.
# {sheet} is a name in grid.sheets, {sweep} settings with several values or a name in sweeps, {kind} weights or epochs.


wildcard_constraints:
    sheet="[a-z0-9_]+",
    sweep=r"(?:(?!\.png)[^/,])+",
    kind="weights|epochs",


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
            labels={"what": "{variant}: {sheet}"},
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
            caption="../workflow/report/sweep.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{sweep}: weights x variants"},
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
            caption="../workflow/report/sweep_epochs.rst",
            category="Grids",
            subcategory="{character}",
            labels={"what": "{sweep}: epochs x variants"},
        ),
    log:
        "logs/assemble_sweep/{character}/{sweep}.epochs.log",
