"""Grids with axes of one's own and sweeps, from the whole config to what one job is told. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loramake import schema, settings, variants
from loramake.epochs import saved_epochs
from loramake.errors import UserError
from loramake.sheetplans import SAID, Sheet, check_sheet, check_size, read_sheet

# settings of the grid that a sheet says itself
_OWN = ("weights", "epochs", "prompts", "seeds", "clip_skip")


def check_sheets(config: Mapping, rules: schema.Schema, trigger: str) -> None:
    """Refuse sheets and sweeps of the config that could not be drawn.

    Raises:
        UserError: see `sheetplans.read_sheet`, `sheetplans.check_sheet`, `variants.expand_sweep`.
    """
    train, grid = config["train"], config["grid"]
    x, y = {"weight": grid["weights"]}, {"epoch": grid["epochs"]}
    check_size(
        read_sheet("weight x epoch", {"x": x, "y": y}, grid, rules, {}),
        train["max_train_epochs"],
        "fewer of grid.weights, grid.epochs, grid.prompts or grid.seeds",
    )
    for name, columns in config["sweeps"].items():
        if not isinstance(columns, Mapping):
            raise UserError(
                "A sweep lists values of settings.",
                found=repr(columns),
                expected="such as {unet_lr: [5e-4, 1e-3]}",
                setting=f"sweeps.{name}",
            )
        variants.expand_sweep(columns, rules, f"sweeps.{name}")
    for name in config["grid"]["sheets"]:
        sheet = named_sheet(name, config, rules)
        check_sheet(sheet, config["grid"]["negative_prompt"], trigger, config["train"]["max_train_epochs"])
        _check_epochs(sheet, config["train"])


def _check_epochs(sheet: Sheet, train: Mapping) -> None:
    """Refuse an epoch that the training will not save; a length in steps, or one that varies, is not known here."""
    varies = any("epochs" in str(variant) for variant in sheet.values("variant"))
    if train["max_train_steps"] or varies:
        return
    saved = saved_epochs(train["max_train_epochs"], train["save_every_n_epochs"])
    wanted = [*sheet.values("epoch"), sheet.epoch]
    missing = [epoch for epoch in wanted if isinstance(epoch, int) and epoch not in saved]
    if missing:
        raise UserError(
            "An epoch of a grid will not be saved.",
            found=f"epoch {missing[0]}",
            expected="one of " + ", ".join(map(str, saved)),
            setting=f"grid.sheets.{sheet.name}, train.max_train_epochs or train.save_every_n_epochs",
        )


def named_sheet(name: str, config: Mapping, rules: schema.Schema) -> Sheet:
    """A sheet of the config.

    Raises:
        UserError: there is none of this name; else see `sheetplans.read_sheet`.
    """
    sheets = config["grid"]["sheets"]
    if name not in sheets:
        close = schema.nearest(name, list(sheets))
        raise UserError(
            "There is no such grid." + (f" The nearest is {close}." if close else ""),
            found=name,
            expected=", ".join(sheets) or "a name in grid.sheets, which is empty",
            setting="grid.sheets in config/config.yaml",
        )
    return read_sheet(name, sheets[name], config["grid"], rules, config["sweeps"])


def sweep_sheet(names: Sequence[str], kind: str, config: Mapping, rules: schema.Schema) -> Sheet:
    """A sweep as a sheet: variant x weight, or variant x epoch.

    Args:
        names: of the variants.
        kind: "weights" or "epochs".
    """
    grid = config["grid"]
    x = {"weight": grid["weights"]} if kind == "weights" else {"epoch": grid["epochs"]}
    return read_sheet("sweep", {"x": x, "y": {"variant": list(names)}}, grid, rules, {})


def sheet_slice(
    sheet: Sheet, overrides: Mapping[str, Mapping[str, object]], config: Mapping, rules: schema.Schema, character: str
) -> dict[str, object]:
    """The keyword arguments of `sheetcells.render_sheet` that come from the config.

    Args:
        overrides: settings of each variant that the sheet shows, from `variants.parse`.
        character: key of the character.
    """
    values = settings.stage_slice(config, rules, character, "cells")
    clip_skip = values["clip_skip"]
    kept = {key: value for key, value in values.items() if key not in _OWN}
    chosen = config["publish"]["epoch"]
    models = {str(path): settings.said_of_model(config, str(path)) for path in sheet.values("model")}
    for key in SAID:
        for path in getattr(sheet, key):
            models[path][key] = True
    return {
        **kept,
        "name": sheet.name,
        "axes": {side: [axis.kind, list(axis.values)] for side, axis in sheet.axes.items()},
        # an epoch that the config names is the one to look at
        "epoch": chosen if sheet.epoch == "auto" and isinstance(chosen, int) else sheet.epoch,
        "weight": sheet.weight,
        "lora": sheet.lora,
        "prompts": list(sheet.prompts),
        "seeds": list(sheet.seeds),
        "models_said": models,
        "clip_skips": {name: own.get("clip_skip", clip_skip) for name, own in overrides.items()},
    }
