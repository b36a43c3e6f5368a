# What the LoRAs that are made are called.


@plainly
def lora_title(wildcards):
    """Params function: what the names of a variant's LoRA files begin with."""
    return loranames.lora_title(wildcards.character, variants.parse(wildcards.variant, SCHEMA), CONFIG["train"])
