"""Make the demo's base checkpoint again, from nothing but this folder.

    python resources/demo/make_base.py --work DIR draw vae latents decoder text unet export plot

Stages leave their results in DIR, so that a later one can be repeated alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import torch  # noqa: E402
from basemodel import architecture, pictures, plot, regions, text, unet, vae  # noqa: E402

from loramake.checkpoints import save_single_file  # noqa: E402
from loramake.models import load_tokenizer  # noqa: E402

LOG = HERE / "base_loss.tsv"
SEED = 1337
SQUARE = next(iter(pictures.SHAPES))  # the shape that sets the latents' scale


def make_drawings(work: Path, options: argparse.Namespace) -> None:
    """Draw the training pictures."""
    pictures.draw_all(work / "pictures", options.pictures, options.workers)


def _train_vae(work: Path, phases: range) -> torch.nn.Module:
    """The VAE after these phases; finished ones are loaded."""
    model = architecture.new_vae(SEED)
    for index in phases:
        state = work / f"vae-phase{index + 1}.pt"
        if not state.exists():
            running = state.with_suffix(".running.pt")
            vae.train(model, work / "pictures", LOG, vae.PHASES[index], SEED + index, running)
            running.rename(state)
        model.load_state_dict(torch.load(state))
    return model.eval()


def make_vae(work: Path, options: argparse.Namespace) -> None:
    """Train the VAE, encoder and decoder."""
    _train_vae(work, range(len(vae.PHASES) - 1))


def make_latents(work: Path, options: argparse.Namespace) -> None:
    """Cache the latents of all drawings, unscaled."""
    model = _train_vae(work, range(len(vae.PHASES) - 1))
    torch.manual_seed(SEED)
    torch.save({size: vae.latents(model, work / "pictures", size) for size in pictures.SHAPES}, work / "latents.pt")


def make_decoder(work: Path, options: argparse.Namespace) -> None:
    """Go on with the decoder alone, then scale the latent space to SD1's."""
    model = _train_vae(work, range(len(vae.PHASES)))
    vae.rescale(model, torch.load(work / "latents.pt")[SQUARE])
    torch.save(model.state_dict(), work / "vae.pt")


def make_text(work: Path, options: argparse.Namespace) -> None:
    """Teach the text encoder the tags."""
    encoder = text.teach(load_tokenizer(), LOG, options.text_steps, SEED)
    torch.save(encoder.state_dict(), work / "text.pt")


def make_unet(work: Path, options: argparse.Namespace) -> None:
    """Train the U-Net, going on where an earlier run stopped."""
    encoder = architecture.new_text_encoder(SEED)
    encoder.load_state_dict(torch.load(work / "text.pt"))
    training = unet.Training(encoder, architecture.new_unet(SEED), SEED)
    state = work / "unet-state.pt"
    if state.exists():
        training.restore(state)
    latents = torch.load(work / "latents.pt")
    mean, scale = vae.moments(latents[SQUARE])
    sets, first = [], 0
    for size in pictures.SHAPES:
        people = pictures.load(work / "pictures", size)[1]
        sets.append(((latents[size].float() - mean) / scale, people, regions.weights(people, size, first)))
        first += len(people)
    unet.train(training, load_tokenizer(), sets, LOG, options.unet_steps, options.unet_rate, state)


def export(work: Path, options: argparse.Namespace) -> None:
    """Write the averaged weights as one half-precision file in SD1's layout."""
    training = unet.Training(architecture.new_text_encoder(SEED), architecture.new_unet(SEED), SEED)
    training.restore(work / "unet-state.pt")
    model = architecture.new_vae(SEED)
    model.load_state_dict(torch.load(work / "vae.pt"))
    about = {"modelspec.title": "loramake demo base", "modelspec.license": "MIT"}
    save_single_file(options.output, training.mean_unet, training.mean_encoder, model, torch.float16, about)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB after {training.step} steps")


def plot_losses(work: Path, options: argparse.Namespace) -> None:
    """Draw the loss curves of all stages."""
    plot.draw_curves(LOG, LOG.with_suffix(".png"))


STAGES = {
    "draw": make_drawings,
    "vae": make_vae,
    "latents": make_latents,
    "decoder": make_decoder,
    "text": make_text,
    "unet": make_unet,
    "export": export,
    "plot": plot_losses,
}


def main() -> None:
    """Run the stages named on the command line, in their order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="folder for drawings, latents and states")
    parser.add_argument("--output", type=Path, default=HERE / "base.safetensors")
    parser.add_argument("--pictures", type=int, default=20000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--text-steps", type=int, default=4000)
    parser.add_argument("--unet-steps", type=int, default=12000, help="of 16 pictures each")
    parser.add_argument("--unet-rate", type=float, default=7e-4)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in STAGES:
        if name in options.stages:
            STAGES[name](options.work, options)


if __name__ == "__main__":
    main()
