"""How much memory and disk a job will take, before it starts: sums of what is known, and measured shares; no torch."""

from __future__ import annotations

from loramake.modelfacts import ModelFacts
from loramake.recipe import Recipe

GIB = 2**30
SD15_UNET = 859_520_964  # weights of the U-Net that the shares below were measured on

# Bytes kept for the backward pass, for each picture of 512x512, at SD1.5 size with a LoRA of rank 128 on both parts.
# Counted with fake tensors over one training step: by precision, and with gradient checkpointing.
_KEPT = {"half": (1.08 * GIB, 0.17 * GIB), "float": (1.76 * GIB, 0.29 * GIB)}
_BLOCK = {"half": 0.3 * GIB, "float": 0.5 * GIB}  # what one block needs besides, while it is worked on
# Bytes for each sample of 512x512 while drawing (measured 0.12 in half precision), and for each pixel that the VAE
# decodes in float32 (measured 4,260)
_DRAWN = {"half": 0.15 * GIB, "float": 0.3 * GIB}
_DECODED = 4 * 128 * 8
_DECODED_AT_ONCE = 512 * 1024
# Bytes that the libraries hold: context and kernels on a card, torch and diffusers in a process
_HELD = {"cuda": 0.5 * GIB, "mps": 0.9 * GIB, "cpu": 0.9 * GIB}

# bytes of state for each trained weight
_STATE = {"AdamW8bit": 2, "PagedAdamW8bit": 2, "Lion": 4, "Lion8bit": 1, "Prodigy": 16, "Adafactor": 1}
_STATE_OF_OTHERS = 8


def training_memory(recipe: Recipe, model: ModelFacts, precision: str, device: str) -> int:
    """Bytes that training takes on its device.

    Frozen weights in the precision of the computation; LoRA, gradients and optimizer in float32; activations in
    proportion to the pictures' area, their number, and the width of the U-Net.

    Args:
        precision: no, fp16 or bf16.
        device: cuda, mps or cpu.
    """
    width = "float" if precision == "no" else "half"
    frozen = (model.unet + model.text_encoder) * (4 if precision == "no" else 2)
    lora = model.lora(recipe.network_dim, recipe.conv_dim, text=recipe.resolved_text_encoder_lr() != 0)
    trained = lora * (4 + 4 + _STATE.get(recipe.optimizer_type, _STATE_OF_OTHERS))
    area = recipe.train_batch_size * (recipe.resolution / 512) ** 2 * (model.unet / SD15_UNET) ** 0.5
    kept = _KEPT[width][recipe.gradient_checkpointing] + _BLOCK[width]
    return int(frozen + trained + area * kept + _HELD[device])


def rendering_memory(
    model: ModelFacts, loras: int, *, width: int, height: int, batch_size: int, half: bool, device: str
) -> int:
    """Bytes that drawing cells takes on its device; the VAE is always float32.

    Args:
        loras: weights of all LoRAs that are held at once.
        width, height, batch_size: of the cells; with guidance the U-Net sees each twice.
    """
    size, word = (2, "half") if half else (4, "float")
    area = 2 * batch_size * width * height / 512**2 * (model.unet / SD15_UNET) ** 0.5
    decoded = max(width * height, min(_DECODED_AT_ONCE, batch_size * width * height))
    frozen = (model.unet + model.text_encoder + loras) * size + model.vae * 4
    share = (model.vae / 83_653_863) ** 0.5 if model.vae else 1.0
    return int(frozen + max(area * _DRAWN[word], decoded * _DECODED * share) + _HELD[device])


def training_disk(recipe: Recipe, model: ModelFacts) -> int:
    """Bytes that a run writes: a file for each saved epoch, and three states, of which one is being written."""
    lora = model.lora(recipe.network_dim, recipe.conv_dim)
    files = -(-recipe.max_train_epochs // recipe.save_every_n_epochs)
    state = 4 + _STATE.get(recipe.optimizer_type, _STATE_OF_OTHERS)
    return lora * (files * (4 if recipe.save_precision == "float" else 2) + 3 * state)


def cells_disk(cells: int, width: int, height: int) -> int:
    """Bytes of so many cells as PNG, the cached ones included: about 1.6 a pixel."""
    return int(cells * width * height * 1.6)


def in_gib(size: float) -> str:
    """A number of bytes for people: 5.2 GiB."""
    return f"{size / GIB:.1f} GiB"
