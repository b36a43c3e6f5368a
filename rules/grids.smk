# Pictures of every epoch at every weight, and the sheet that shows them. One label each in Snakemake's report: of two
# with two values each it makes switches, and breaks where a combination has no result.


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
            labels={"what": "{variant}: weights x epochs"},
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
            labels={"what": "base: weights x epochs"},
        ),
    log:
        "logs/assemble_grid/{character}.log",
