# What the LoRAs that are made are called.


@plainly
def lora_title(wildcards):
    """Params function: what the names of a variant's LoRA files begin with."""
    return loranames.lora_title(wildcards.character, variants.parse(wildcards.variant, SCHEMA), CONFIG["train"])


@plainly
def exported_lora(wildcards):
    """Input function: the LoRA of a variant, where the epoch will be among those that are saved."""
    train = {**CONFIG["train"], **variants.parse(wildcards.variant, SCHEMA)}
    saved = epochs.saved_epochs(train["max_train_epochs"], train["save_every_n_epochs"])
    # a length in steps is no number of epochs before the dataset is there
    if not train["max_train_steps"] and int(wildcards.epoch) not in saved:
        raise UserError(
            "This epoch will not be saved.",
            found=f"epoch {int(wildcards.epoch)}",
            expected="one of " + ", ".join(map(str, saved)),
            setting="train.max_train_epochs or train.save_every_n_epochs",
        )
    return f"loras/{wildcards.character}/{wildcards.variant}"
