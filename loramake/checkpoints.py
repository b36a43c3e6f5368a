"""Weight files: safetensors read and written with our own header, `.ckpt` read without running code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch

from loramake.errors import UserError
from loramake.files import atomic_path
from loramake.ldmkeys import part_name
from loramake.weightheader import read_header

CONFIG_KEY = "loramake.config"
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class WeightFile(Protocol):
    """A weight file that gives its tensors one by one, so that a model is never held twice."""

    path: Path
    metadata: dict[str, str]

    def names(self) -> Iterable[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def get(self, name: str) -> torch.Tensor: ...


class SafetensorsFile:
    """A `.safetensors` file, opened lazily; its header is checked against the file's size first."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.path = Path(path)
        header, _ = read_header(self.path)
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        self._shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        self._file = safe_open(str(self.path), framework="pt")

    def names(self) -> Iterable[str]:
        return self._shapes.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def get(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


class PickledFile:
    """A `.ckpt`, `.pt` or `.bin` file read by torch's weights-only loader; foreign classes become inert.

    Args:
        where: "meta" reads names and shapes alone.
    """

    def __init__(self, path: Path, where: str = "cpu") -> None:
        self.path = Path(path)
        self.metadata: dict[str, str] = {}
        content = _load_pickle(self.path, where)
        while isinstance(content.get("state_dict"), Mapping):
            content = content["state_dict"]
        self._tensors = _tensors_of(content)

    def names(self) -> Iterable[str]:
        return self._tensors.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def get(self, name: str) -> torch.Tensor:
        return self._tensors[name]


def _tensors_of(content: Mapping[str, object]) -> dict[str, torch.Tensor]:
    """The tensors of a pickle by name; those one level down (a textual inversion's) as "outer.inner"."""
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    for outer, value in content.items() if not tensors else ():
        if isinstance(value, Mapping):
            tensors |= {f"{outer}.{name}": inner for name, inner in value.items() if isinstance(inner, torch.Tensor)}
    return {str(name): value for name, value in tensors.items()}


class _Inert:
    """Stands for any class a pickle asks for beside tensors (trainer callbacks and the like): keeps nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _load_pickle(path: Path, where: str = "cpu") -> Mapping[str, object]:
    unreadable = UserError(
        "This checkpoint cannot be read safely.",
        file=path,
        found="a truncated file, or not a PyTorch checkpoint of weights",
        expected="a .safetensors file, or a .ckpt that holds weights only",
        setting="download the file again, or convert it to .safetensors",
    )
    try:
        allowed: list[object] = []
        mapped = False
        if zipfile.is_zipfile(path):
            names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
            allowed = [(_Inert, name) for name in names]
            # the tensors are the file's own pages, which the system drops again: the model is held once, by its copy
            mapped = where == "cpu"
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location=where, weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except Exception as error:  # torch raises half a dozen kinds for a broken or hostile pickle
        raise unreadable from error
    if not isinstance(content, Mapping):
        raise unreadable
    return content


def open_weights(path: Path) -> WeightFile:
    """Open a weight file by its suffix: `.safetensors` lazily, anything else as a pickle of weights.

    Raises:
        UserError: missing, truncated, or not weights.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("There is no such file.", file=path, expected="a .safetensors or .ckpt file")
    return SafetensorsFile(path) if path.suffix.lower() == ".safetensors" else PickledFile(path)


def serialise(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> tuple[bytes, list[torch.Tensor]]:
    """The header (length prefix included) and the tensors in the order in which their data follows it.

    Same layout as the safetensors library (widest type first, then by name; padded to 8 bytes), but with sorted
    metadata: equal content gives equal bytes.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    offset = 0
    ordered = []
    for name in names:
        tensor = tensors[name].detach().cpu().contiguous()
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
        ordered.append(tensor)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, ordered


def data_chunks(tensors: Iterable[torch.Tensor]) -> Iterator[memoryview]:
    """The raw little-endian bytes of each tensor."""
    for tensor in tensors:
        yield memoryview(tensor.reshape(-1).view(torch.uint8).numpy())


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically; equal tensors and metadata give equal bytes."""
    header, ordered = serialise(tensors, metadata)
    with atomic_path(Path(path)) as temporary, open(temporary, "wb") as handle:
        handle.write(header)
        for chunk in data_chunks(ordered):
            handle.write(chunk)


def save_single_file(
    path: Path,
    unet: torch.nn.Module,
    text_encoder: torch.nn.Module,
    vae: torch.nn.Module,
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an SD1-type model as one `.safetensors` file in the key layout of the original release.

    Args:
        path: the file to write, atomically.
        unet: diffusers' `UNet2DConditionModel`, any number of blocks and layers.
        text_encoder: transformers' `CLIPTextModel`.
        vae: diffusers' `AutoencoderKL`.
        dtype: of the stored floating point weights.
        metadata: further strings; the architecture goes into the key `loramake.config` unless given.
    """
    parts = {"unet": unet, "vae": vae, "text_encoder": text_encoder}
    configs = {
        "unet": _plain(dict(unet.config)),
        "vae": _plain(dict(vae.config)),
        "text_encoder": _plain(text_encoder.config.to_dict()),
    }
    tensors = {}
    for part, model in parts.items():
        for key, tensor in model.state_dict().items():
            name = part_name(part, key, configs[part])
            if "mid.attn_1" in name and name.endswith("weight") and tensor.ndim == 2:
                tensor = tensor[:, :, None, None]  # the original VAE's attention is made of 1x1 convolutions
            tensors[name] = tensor.to(dtype)
    config_text = json.dumps(configs, sort_keys=True, separators=(",", ":"))
    save_tensors(path, tensors, {"format": "pt", CONFIG_KEY: config_text, **(metadata or {})})


def _plain(config: Mapping[str, object]) -> dict[str, object]:
    """A configuration without private keys, versions and unset values, as JSON can hold it."""
    dropped = ("transformers_version", "dtype", "torch_dtype")
    plain = {k: v for k, v in config.items() if not k.startswith("_") and k not in dropped and v is not None}
    return json.loads(json.dumps(plain, default=str))
