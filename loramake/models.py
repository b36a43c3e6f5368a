"""Loading SD1-type models: single files in the original layout, diffusers folders, external VAEs; always offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from loramake.autoencoder import Autoencoder
from loramake.checkpoints import WeightFile, open_weights
from loramake.cliptext import TextEncoder
from loramake.diffusersfolder import (
    ALL_PARTS,
    external_vae_config,
    folder_weights,
    read_configs,
)
from loramake.errors import UserError
from loramake.families import check_family, check_folder, check_vae_shapes
from loramake.ldmkeys import TEXT_PREFIX, VAE_PREFIX, part_name
from loramake.tokens import ClipTokenizer, Tokenizer, shipped_tokenizer
from loramake.unet import UNet

# what older diffusers and transformers versions called the same weights
_OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


@dataclass(frozen=True)
class StableDiffusion1:
    """The parts of an SD1-type model; a part that was not asked for is None.

    Weights are frozen and in eval mode. `scaling_factor` turns VAE latents into the U-Net's; `prediction_type` is
    "epsilon" or "v_prediction"; `zero_terminal_snr`: its noise schedule ends without signal.
    """

    text_encoder: TextEncoder | None
    unet: UNet | None
    vae: Autoencoder | None
    tokenizer: Tokenizer | None
    scaling_factor: float
    prediction_type: str
    zero_terminal_snr: bool = False


def load_sd1(
    path: Path | str,
    *,
    config: Path | str = "",
    vae: Path | str = "",
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    parts: Iterable[str] = ALL_PARTS,
) -> StableDiffusion1:
    """Load an SD1-type model.

    Args:
        path: single file (`.safetensors`, `.ckpt`; original key layout) or a folder in diffusers layout.
        config: folder with the architecture in diffusers layout (unet/, vae/, text_encoder/, optionally tokenizer/
            and scheduler/). "": the folder itself, else the file's metadata key `loramake.config`, else SD1.5.
        vae: external VAE, file or folder; "": the model's own.
        device: where the weights go.
        dtype: of the weights in memory.
        parts: which of text_encoder, unet, vae to load.

    Raises:
        UserError: missing or truncated file, another family of model, or an architecture that does not fit.
    """
    path, parts = Path(path), tuple(parts)
    if not path.exists():
        raise UserError("The base model is missing.", file=path, expected="a file or a folder", setting="base_model")
    source: WeightFile | Path = path if path.is_dir() else open_weights(path)
    if not isinstance(source, Path):
        check_family(source, needs_vae="vae" in parts and not vae, needs_rest=set(parts) != {"vae"})
    else:
        check_folder(source)
    folder = Path(config) if config else (path if path.is_dir() else None)
    configs = read_configs(folder, {} if isinstance(source, Path) else source.metadata)
    models = {}
    for part in parts:
        if part == "vae" and vae:
            models[part] = load_vae(vae, device=device, dtype=dtype, config=external_vae_config(vae, configs["vae"]))
        else:
            read = folder_weights(source, part) if isinstance(source, Path) else source
            models[part] = _build(part, configs[part], read, device, dtype)
    return StableDiffusion1(
        text_encoder=models.get("text_encoder"),
        unet=models.get("unet"),
        vae=models.get("vae"),
        tokenizer=load_tokenizer(folder),
        scaling_factor=float(configs["vae"].get("scaling_factor") or 0.18215),
        prediction_type=_prediction_type(configs["scheduler"], source),
        zero_terminal_snr=bool(configs["scheduler"].get("rescale_betas_zero_snr")) or _has_mark(source, "ztsnr"),
    )


def as_set(
    model: StableDiffusion1, *, v_parameterization: bool | str, zero_terminal_snr: bool | str
) -> StableDiffusion1:
    """The model with what settings say of it: true or false, or "auto" for what its file says."""
    said = model.prediction_type
    if v_parameterization != "auto":
        said = "v_prediction" if v_parameterization else "epsilon"
    zero = model.zero_terminal_snr if zero_terminal_snr == "auto" else bool(zero_terminal_snr)
    return replace(model, prediction_type=said, zero_terminal_snr=zero and said == "v_prediction")


def load_vae(
    path: Path | str, *, config: Mapping[str, object], device: str | torch.device, dtype: torch.dtype
) -> torch.nn.Module:
    """Load an external VAE: diffusers folder, or a file with the original or diffusers' key names.

    Args:
        config: the architecture, as in diffusers' `vae/config.json`.

    Raises:
        UserError: missing, or not a VAE of this architecture.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("The VAE is missing.", file=path, expected="a file or a folder", setting="vae")
    if path.is_dir():
        read = folder_weights(path, "vae") if (path / "vae").is_dir() else folder_weights(path, "")
    else:
        read = open_weights(path)
    check_vae_shapes({name: read.shape(name) for name in read.names()}, path)
    return _build("vae", config, read, device, dtype, setting="vae")


def load_tokenizer(folder: Path | None = None) -> Tokenizer:
    """The tokenizer of `folder`/tokenizer where there is one, else the shipped CLIP vocabulary."""
    own = folder / "tokenizer" if folder else None
    return ClipTokenizer(own) if own and (own / "vocab.json").is_file() else shipped_tokenizer()


def _prediction_type(scheduler: Mapping[str, object], source: WeightFile | Path) -> str:
    if not isinstance(source, Path):
        stated = source.metadata.get("modelspec.prediction_type", "")
        if stated in ("v", "v_prediction") or _has_mark(source, "v_pred"):
            return "v_prediction"
    return str(scheduler.get("prediction_type") or "epsilon")


def _has_mark(source: WeightFile | Path, name: str) -> bool:
    """Whether a single file holds the empty tensor by which trainers mark velocity and zero-terminal-SNR models."""
    return not isinstance(source, Path) and name in set(source.names())


def _empty_model(part: str, config: Mapping[str, object]) -> torch.nn.Module:
    """The module with weights on the meta device: nothing is allocated or initialised twice."""
    kinds = {"text_encoder": TextEncoder, "unet": UNet, "vae": Autoencoder}
    with torch.device("meta"):
        return kinds[part](config)


def _candidates(part: str, key: str, config: Mapping[str, object]) -> list[str]:
    """The names under which a weight may stand in a file, likeliest first."""
    ldm = part_name(part, key, config)
    names = [ldm]
    if part == "text_encoder":
        bare = key.removeprefix("text_model.")
        # some early models were saved without `text_model.`
        names += [TEXT_PREFIX.removesuffix("text_model.") + bare, f"text_model.{bare}", bare]
    elif part == "vae":
        names += [ldm.removeprefix(VAE_PREFIX), key]
        names += [key.replace(new, old) for old, new in _OLD_NAMES.items() if new in key]
    else:
        names += [key]
    return names


def _build(
    part: str,
    config: Mapping[str, object],
    source: WeightFile,
    device: str | torch.device,
    dtype: torch.dtype,
    setting: str = "base_model_config",
) -> torch.nn.Module:
    """Build one part and fill it, weight by weight."""
    model = _empty_model(part, config)
    present = set(source.names())
    state, missing = {}, []
    for key, empty in model.state_dict().items():
        name = next((name for name in _candidates(part, key, config) if name in present), None)
        if name is None:
            missing.append(key)
            continue
        shape = source.shape(name)
        # the VAE's attention is linear in diffusers and a 1x1 convolution in the original
        if shape != tuple(empty.shape) and shape != (*empty.shape, 1, 1):
            raise UserError(
                f"The {part} does not fit its configuration.",
                file=source.path,
                found=f"{name} of shape {list(shape)}",
                expected=f"shape {list(empty.shape)}",
                setting=setting,
            )
        tensor = source.get(name).reshape(empty.shape)
        state[key] = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None, copy=True)
    if missing:
        raise UserError(
            f"The {part} lacks {len(missing)} weights.",
            file=source.path,
            found=f"no {missing[0]}",
            expected="all weights of the configured architecture",
            setting=setting,
        )
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)
