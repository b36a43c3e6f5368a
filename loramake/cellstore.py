"""Where drawn cells are kept, by recipe: draws those that are missing, tells what each is, and links them to grids.

All grids of a character share one store, so that a cell that two kinds of grid show is drawn once. Knows no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageChops

from loramake import files, pngtext
from loramake.cells import Cell, Look, weight_text
from loramake.cellshares import paint_in_shares
from loramake.errors import UserError
from loramake.lorafit import check_fits
from loramake.modelhash import content_hash
from loramake.revisions import REVISIONS

ROUNDING = 2  # of 255


class CellStore:
    """The cells of a character, and the models that its grids are drawn with.

    Args:
        folder: keeps cells by recipe, model hashes, and `work.tsv`, a line a grid: cells rendered, cells reused.
        base_model_config, vae: see `models.load_sd1`.
    """

    def __init__(self, folder: Path, base_model_config: str, vae: str) -> None:
        self.folder = Path(folder)
        self._config, self._vae = base_model_config, vae
        self._index = self.folder / "models.json"

    def shared(self, look: Look) -> dict[str, object]:
        """What the recipes of all cells of a look have in common.

        Raises:
            UserError: a model file that is missing.
        """
        models = {
            "model": self._model_hash(look),
            "config": content_hash(self._config, self._index, setting="base_model_config"),
            "vae": content_hash(self._vae, self._index, setting="vae"),
        }
        return {**look.recipe(), **models, "revision": REVISIONS["cells"]}

    def fields(self, look: Look) -> dict[str, object]:
        """The fields of the webui's text that all cells of a look share, in its order."""
        noise = look.noise()
        return {
            "Steps": look.steps,
            "Sampler": look.sampler,
            "CFG scale": f"{look.cfg_scale:g}",
            "Seed": None,  # each cell's own, at this place
            "Size": f"{look.width}x{look.height}",
            "Model hash": self._model_hash(look)[:10],
            "Model": Path(look.base_model).stem,
            "VAE": Path(self._vae).name or None,
            "Clip skip": look.clip_skip if look.clip_skip > 1 else None,
            "Eta DDIM" if look.sampler == "DDIM" else "Eta": f"{noise['eta']:g}" if noise else None,
        }

    def describe(self, cells: Sequence[Cell]) -> dict[Cell, str]:
        """The webui's text of each cell, with the LoRA as it is called there."""
        fields = {look: self.fields(look) for look in {cell.look for cell in cells}}
        return {cell: _describe(cell, fields[cell.look]) for cell in cells}

    def path(self, cell: Cell) -> Path:
        """The picture of a cell."""
        return self.folder / cell.recipe[:2] / f"{cell.recipe}.png"

    def draw_missing(
        self, cells: Sequence[Cell], described: Mapping[Cell, str], *, device: str, batch_size: int, threads: int
    ) -> tuple[int, int]:
        """Draw the cells that were never drawn; without any neither torch nor a model is loaded.

        Returns:
            cells drawn, and cells that were there; each recipe counts once.

        Raises:
            UserError: a model or LoRA that cannot be used, or too little memory.
        """
        missing = {cell.recipe: cell for cell in cells if not pngtext.is_whole(self.path(cell))}
        for model in {cell.look.base_model for cell in missing.values()}:
            check_fits(
                (file for cell in missing.values() if cell.look.base_model == model for file in cell.files), model
            )
        if missing:
            paint_in_shares(
                sorted(missing.values(), key=_neighbours),
                partial(_keep, self, {cell: described[cell] for cell in missing.values()}),
                base_model_config=self._config,
                vae=self._vae,
                device=device,
                batch_size=batch_size,
                threads=threads,
            )
        reused = len({cell.recipe for cell in cells}) - len(missing)
        self._record_work(len(missing), reused)
        return len(missing), reused

    def link(self, cells: Sequence[Cell], described: Mapping[Cell, str], out_dir: Path) -> None:
        """Link each cell under its name in a grid; where its text changed (another name), write it with that."""
        out_dir.mkdir(parents=True, exist_ok=True)
        texts = {cell.file_name: cell for cell in cells}
        for stale in out_dir.glob("*.png"):
            if stale.name not in texts:
                stale.unlink()
        for name, cell in texts.items():
            cached, target = self.path(cell), out_dir / name
            png = cached.read_bytes()
            if pngtext.read_text(png) == described[cell]:
                files.link_or_copy(cached, target)
            else:
                with files.atomic_path(target) as temporary:
                    temporary.write_bytes(pngtext.replace_text(png, described[cell]))

    def look_the_same(self, one: Cell, other: Cell) -> bool:
        """Whether no pixel of two cells differs by more than what another composition of the batch can do."""
        with Image.open(self.path(one)) as first, Image.open(self.path(other)) as second:
            extrema = ImageChops.difference(first, second).getextrema()
        return max(high for _, high in extrema) <= ROUNDING

    def _model_hash(self, look: Look) -> str:
        return content_hash(look.base_model, self._index)

    def _record_work(self, rendered: int, reused: int) -> None:
        path = self.folder / "work.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = "" if path.is_file() else "rendered\treused\n"
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(f"{header}{rendered}\t{reused}\n")


def check_effect(cells: Sequence[Cell], store: CellStore, run_dir: Path) -> None:
    """Refuse a grid in which the LoRAs change nothing, even at their largest weight.

    Raises:
        UserError: names `run_dir` and the likely reasons.
    """
    base = {(cell.prompt, cell.seed, cell.look): cell for cell in cells if cell.weight == 0}
    weight = max((cell.weight for cell in cells), key=abs)
    if not base or weight == 0:
        return
    strongest = [cell for cell in cells if cell.weight == weight]
    pairs = [(cell, base.get((cell.prompt, cell.seed, cell.look))) for cell in strongest]
    # `all` stops at the first difference, so this mostly reads two files
    if all(other and store.look_the_same(cell, other) for cell, other in pairs):
        raise UserError(
            f"The LoRA did not apply: at weight {weight_text(weight)} every picture equals that of weight 0.",
            file=run_dir,
            found="the same pixels in all epochs, prompts and seeds",
            expected="pictures that change with the weight",
            setting="train.unet_lr or train.text_encoder_lr (too low to learn), train.max_train_epochs (too few), "
            "grid.weights (too small)",
        )


def _describe(cell: Cell, fields: Mapping[str, object]) -> str:
    prompt, own = cell.prompt, {**fields, "Seed": cell.seed}
    hashes = {lora.name: lora.short_hash for lora in cell.called}
    if cell.checkpoint:
        name = cell.checkpoint.file.stem
        prompt += f" <lora:{name}:{weight_text(cell.weight)}>"
        hashes[name] = cell.checkpoint.short_hash
    if hashes:
        own["Lora hashes"] = ", ".join(f"{name}: {short}" for name, short in hashes.items())
    return pngtext.write_parameters(prompt, cell.look.negative_prompt, own)


def _neighbours(cell: Cell) -> tuple[str, str, float]:
    """Cells of one model and one LoRA side by side, as they are drawn fastest."""
    return cell.look.base_model, str(cell.checkpoint.file) if cell.checkpoint else "", cell.weight


def _keep(store: CellStore, described: Mapping[Cell, str], cell: Cell, image: Image.Image) -> None:
    # an empty file after a power cut is seen and drawn again
    with files.atomic_path(store.path(cell), durable=False) as temporary:
        temporary.write_bytes(pngtext.encode_png(image, described[cell]))
