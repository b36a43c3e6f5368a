# What LoRAs are called: those that are made, and those that prompts name.


@plainly
def lora_title(wildcards):
    """Params function: what the names of a variant's LoRA files begin with."""
    return loranames.lora_title(wildcards.character, variants.parse(wildcards.variant, SCHEMA), CONFIG["train"])


@plainly
def called_loras(wildcards):
    """Input function: the state of every LoRA that the grid's prompts call, the variant's own epochs aside."""
    character, grid = character_settings(wildcards.character), CONFIG["grid"]
    overrides = variants.parse(wildcards.get("variant", variants.BASE), SCHEMA)
    train = {**CONFIG["train"], **overrides}
    title = loranames.lora_title(wildcards.character, overrides, CONFIG["train"])
    own = loranames.epoch_names(title, train["max_train_epochs"], train["save_every_n_epochs"])
    texts = [prompts.fill_trigger(text, character["trigger"]) for text in grid["prompts"]]
    called = loranames.needed_files(texts, own, grid["lora_dir"])
    return [file_manifest(f"lora-{files.hash_value(name)[:12]}", path.as_posix()) for name, path in called.items()]
