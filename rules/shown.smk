# What a grid shows, and the files that it needs for that.


def lora_manifests(character, variant, texts, models):
    """The state of every LoRA that prompts call, the variant's own epochs aside; each must be for these base models."""
    overrides = variants.parse(variant, SCHEMA)
    train = {**CONFIG["train"], **overrides}
    title = loranames.lora_title(character, overrides, CONFIG["train"])
    own = loranames.epoch_names(title, train["max_train_epochs"], train["save_every_n_epochs"])
    called = loranames.needed_files(texts, own, CONFIG["grid"]["lora_dir"])
    for model in filter(os.path.isfile, models):
        lorafit.check_fits(called.values(), model)
    return [file_manifest(f"lora-{files.hash_value(name)[:12]}", path.as_posix()) for name, path in called.items()]


@plainly
def called_loras(wildcards):
    """Input function: the state of every LoRA that the grid's prompts call."""
    trigger = character_settings(wildcards.character)["trigger"]
    texts = [prompts.fill_trigger(text, trigger) for text in CONFIG["grid"]["prompts"]]
    return lora_manifests(
        wildcards.character, wildcards.variant, texts, [CONFIG["grid"]["model"] or CONFIG["base_model"]]
    )


@plainly
def picks(wildcards):
    """Input function: the recommendation for a variant, where there is one already."""
    return existing_picks(wildcards.character, [wildcards.get("variant", variants.BASE)])


def drawing_models(sheet):
    """The base models that a grid is drawn with."""
    return [str(path) for path in sheet.values("model")] or [CONFIG["grid"]["model"] or CONFIG["base_model"]]


def existing_picks(character, names):
    """The recommendations that there are for these variants."""
    return [path for name in names if Path(path := f"work/pick/{character}/{name}.json").is_file()]


@cache
def plan_sheet(character, variant, sweep, name):
    """The grid that is asked for, and the variants that it shows."""
    character_settings(character)
    if sweep:
        shown = variants.parse_sweep(sweep, SCHEMA, CONFIG["sweeps"])
        sheet = sheetconfig.sweep_sheet(shown, name, CONFIG, SCHEMA)
        sheetplans.check_size(sheet, CONFIG["train"]["max_train_epochs"], "grid.weights, grid.seeds, grid.prompts")
        return sheet, shown
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
    models = drawing_models(sheet)
    return sorted({path for name in shown for path in lora_manifests(wildcards.character, name, texts, models)})


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
