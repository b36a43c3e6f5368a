"""What a pick measures on: pictures, texts and how the model was trained; no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loramake.files import hash_value
from loramake.latentfiles import LatentFile, read_latent_file
from loramake.modelhash import content_hash
from loramake.revisions import REVISIONS
from loramake.trainset import Picture, hold_out, read_pictures

SEED = 7  # of the noise that everything is measured with; another one than training's


@dataclass(frozen=True)
class Ground:
    """What figures are measured on and with, beside the LoRA itself.

    Args:
        base_model, base_model_config, vae, device: see the config.
        pictures: with their latents.
        trigger, wishes, clip_skip, v_parameterization, zero_terminal_snr: see `pickingfigures.Gauge` and the config.
    """

    base_model: str
    base_model_config: str
    vae: str
    device: str
    pictures: Sequence[tuple[Picture, LatentFile]]
    trigger: str
    wishes: Mapping[str, Sequence[str]]
    clip_skip: int
    v_parameterization: bool | str
    zero_terminal_snr: bool | str

    def recipe(self, cache: Path) -> str:
        """Hash of everything that figures depend on, beside the LoRA and its weight."""
        facts = [[p.key, p.caption, file.image_hash, file.vae_hash, list(file.bucket)] for p, file in self.pictures]
        asked = {kind: list(texts) for kind, texts in self.wishes.items()}
        models = [content_hash(self.base_model, cache / "models.json"), self.base_model_config]
        how = [self.clip_skip, self.v_parameterization, self.zero_terminal_snr, SEED, REVISIONS["pick"]]
        return hash_value([facts, self.trigger, asked, models, how])

    def viewing_recipe(self, judge: str, cache: Path) -> str:
        """Hash of what a look at a picture depends on.

        Args:
            judge: digest of the LoRA that is looked with.
        """
        vae = content_hash(self.vae, cache / "models.json", setting="vae") if self.vae else ""
        models = [content_hash(self.base_model, cache / "models.json"), self.base_model_config, vae, judge]
        how = [self.clip_skip, self.v_parameterization, self.zero_terminal_snr, SEED, REVISIONS["pick"]]
        return hash_value([models, how])


def choose_pictures(
    dataset_dir: Path, latents_dir: Path, validation_split: float, seed: int, samples: int
) -> tuple[list[tuple[Picture, LatentFile]], bool]:
    """Pictures to measure the loss on, with their latents, and whether training never saw them.

    Those held out where there are any, else evenly spread ones of the most frequent size.
    """
    pictures = read_pictures(dataset_dir)
    pairs = [(p, read_latent_file(Path(latents_dir) / f"{p.key}.safetensors")) for p in pictures]
    apart = hold_out([file.image_hash for _, file in pairs], validation_split, seed)
    if apart:
        pairs = [pairs[place] for place in sorted(apart)]
    else:
        sizes = [file.bucket for _, file in pairs]
        frequent = max(sorted(set(sizes)), key=sizes.count)
        pairs = [pair for pair in pairs if pair[1].bucket == frequent]
    count = min(samples, len(pairs))
    return [pairs[place * len(pairs) // count] for place in range(count)], bool(apart)
