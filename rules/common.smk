# The validated config, the wildcards, and the files by which settings and outside files reach the jobs.
import os
import re
import sys
import time
from functools import cache, wraps
from pathlib import Path

from loramake import boorus, cells, epochs, files, gathering, lorafit, loranames, manifest, prompts, schema, settings
from loramake import sheetconfig, sheetplans, variants
from loramake.errors import LoramakeError, UserError


def plainly(function):
    """Let a user's mistake end Snakemake with its message alone: an exception would be shown with the lines of the rules."""

    @wraps(function)
    def guarded(*arguments):
        try:
            return function(*arguments)
        except LoramakeError as error:
            print(f"\nloramake: {error}\n", file=sys.stderr)
            raise SystemExit(1) from None

    return guarded


@plainly
def read_config():
    """The schema and the validated config."""
    rules = schema.load_schema(Path(workflow.basedir) / "config/schema.yaml")
    values = settings.load(config, rules, Path(workflow.basedir) / "config/presets")
    grid = {key: values["grid"][key] for key in ("weights", "sampler", "prompts", "negative_prompt")}
    for entry in values["characters"].values():
        cells.check_grid(**grid, trigger=entry["trigger"])
        sheetconfig.check_sheets(values, rules, entry["trigger"])
    for name, entry in values["characters"].items():
        boorus.check_wishes(entry["download"], f"characters.{name}.download")
    return rules, values


SCHEMA, CONFIG = read_config()
plainly(files.check_writable)([".snakemake", "work", "dataset", "dataset_reg", "loras", "grids", "reports", "logs"])

# only used with --sdm conda: what the jobs that load models run in
MODEL_ENV = "../envs/gpu.yaml" if CONFIG["device"] == "cuda" else "../envs/cpu.yaml"


wildcard_constraints:
    character="[a-z0-9_]+",
    # a name, but not that of a file beside the variant's folder
    variant=r"(?:(?!\.safetensors|\.png)[^/,])+",
    epoch=r"\d{6}",


@cache
def write_once(path, text):
    """Write a planned file if it changed. Jobs on other machines read the same rules but must not write."""
    if workflow.is_main_process:
        files.write_if_changed(Path(path), text)
    return path


def character_settings(character):
    """The config's entry of a character."""
    if character not in CONFIG["characters"]:
        close = schema.nearest(character, list(CONFIG["characters"]))
        raise UserError(
            f"There is no character {character!r}." + (f" The nearest is {close}." if close else ""),
            expected="one of " + ", ".join(CONFIG["characters"]),
            setting="characters in config/config.yaml",
        )
    return CONFIG["characters"][character]


def stage_values(stage, character, variant=""):
    """The settings of a stage."""
    character_settings(character)
    overrides = variants.parse(variant or variants.BASE, SCHEMA)
    return settings.stage_slice(CONFIG, SCHEMA, character, stage, overrides)


def stage_text(stage, character, variant=""):
    """The content of the settings file of a stage."""
    return settings.slice_text(stage_values(stage, character, variant), stage)


@plainly
def write_settings(stage, character, variant=""):
    """Write that file; its path."""
    path = Path("work/settings", character, variant, f"{stage}.json")
    return write_once(path.as_posix(), stage_text(stage, character, variant))


def settings_file(stage):
    """Input function: the stage's slice of the config as a file, whose change is what runs the stage again."""

    def own_settings(wildcards):
        return write_settings(stage, wildcards.character, wildcards.get("variant", ""))

    return own_settings


def settings_digest(stage):
    """Params function: the digest of that file as planned; the job refuses another."""

    @plainly
    def digest_settings(wildcards):
        return settings.digest(stage_text(stage, wildcards.character, wildcards.get("variant", "")))

    return digest_settings


STARTED = time.time_ns()

# the characters whose raw folder is filled by a rule; no rule makes the manifest of the others
DOWNLOADED = [name for name, entry in CONFIG["characters"].items() if entry["download"]["sites"]]


def one_of(names):
    """Wildcard constraint: these names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


def raw_folder(name):
    """A character's raw folder."""
    return character_settings(name)["raw_dir"] or f"raw/{name}"


@cache
def gathered_folder(name):
    """That folder; or the one that links the files of kohya's repeat folders in it."""
    folder, links = raw_folder(name), Path(f"work/gathered/{name}")
    return gathering.gather(folder, links, link=workflow.is_main_process)


def must_download(wildcards):
    """Whether a character's list is not of a folder filled with today's settings: missing, older, or emptied since."""
    name = wildcards.character
    wanted = settings.digest(stage_text("download", wildcards.character))
    found = manifest.read_download(f"work/manifests/{name}.json")
    return found != wanted or not manifest.has_files(raw_folder(name))


@plainly
def download_request(wildcards):
    """Input function: a file that is new whenever the download must run. A missing list alone would not make it run."""
    path = Path(f"work/manifests/{wildcards.character}.request")
    if must_download(wildcards) or not path.is_file():
        write_once(path.as_posix(), f"{STARTED}\n")
    return path.as_posix()


@plainly
def raw_manifest(wildcards):
    """Input function: the list of a character's raw files. Where a rule downloads them, the rule makes the list first."""
    name = wildcards.character
    path = f"work/manifests/{name}.json"
    if name not in DOWNLOADED:
        return write_once(path, manifest.raw_text(gathered_folder(name), name))
    if must_download(wildcards):
        return path
    return write_once(path, manifest.raw_text(raw_folder(name), name, download=manifest.read_download(path)))


def edits_file(wildcards):
    """Params function: the hand decisions on a character's pictures; empty where there are none."""
    path = f"config/edits/{wildcards.character}.yaml"
    return path if Path(path).is_file() else ""


@plainly
def edits_manifest(wildcards):
    """Input function: the state of that file, so that its removal counts as a change too."""
    path = f"config/edits/{wildcards.character}.yaml"
    text = manifest.to_text({"path": path}, manifest.scan_tree(path))
    return write_once(f"work/manifests/{wildcards.character}.edits.json", text)


def file_manifest(setting, path, may_be_missing=False):
    """The state of a file or folder that a setting names."""
    return write_once(f"work/manifests/{setting}.json", manifest.model_text(path, setting, may_be_missing))


@plainly
def tag_list_manifest(wildcards):
    """Input function: the state of the tag list, where there is one."""
    path = CONFIG["tags"]["tag_list"]
    return [file_manifest("tags.tag_list", path)] if path else []


@plainly
def regularisation_manifest(wildcards):
    """Input function: the list of a character's regularisation pictures."""
    name = wildcards.character
    text = manifest.raw_text(character_settings(name)["reg_dir"], name, "reg_dir")
    return write_once(f"work/manifests/{name}.reg.json", text)


def regularisation(wildcards):
    """Input function: the regularisation pictures of a character that has some."""
    name = wildcards.character
    return f"dataset_reg/{name}" if character_settings(name)["reg_dir"] else []


@plainly
def regularisation_choice(wildcards):
    """Input function: whether there are such pictures, so that taking them away counts as a change too."""
    name = wildcards.character
    chosen = f"{bool(character_settings(name)['reg_dir'])}\n".lower()
    return write_once(f"work/manifests/{name}.reg.configured.json", chosen)


def autotags(wildcards):
    """Input function: the tagger's tags, where a tagger is configured."""
    return f"work/autotags/{wildcards.character}" if CONFIG["autotag"]["model"] else []


def tagger_choice(wildcards):
    """Input function: whether there is a tagger, so that taking it away counts as a change too."""
    return write_once("work/manifests/autotag.configured.json", f"{bool(CONFIG['autotag']['model'])}\n".lower())


@plainly
def tagger_manifests(wildcards):
    """Input function: the state of the tagger's model and of its list of tags."""
    return [file_manifest(f"autotag.{key}", CONFIG["autotag"][key]) for key in ("model", "tags")]


@plainly
def tagger_models(wildcards):
    """Input function: the same where a tagger is configured, for a stage that can do without."""
    return tagger_manifests(wildcards) if CONFIG["autotag"]["model"] else []


def publish_pick(wildcards):
    """Input function: the recommendation, unless the config names an epoch."""
    wanted = CONFIG["publish"]["epoch"] == "pick"
    return f"work/pick/{wildcards.character}/{wildcards.variant}.json" if wanted else []


def named_models(stage):
    """Setting → path of every model file that the stage loads."""
    base = "grid.model" if stage == "cells" and CONFIG["grid"]["model"] else "base_model"
    named = {base: CONFIG["grid"]["model"] or CONFIG["base_model"] if stage == "cells" else CONFIG["base_model"]}
    named |= {key: CONFIG[key] for key in ("base_model_config", "vae") if CONFIG[key]}
    if stage == "train" and CONFIG["train"]["network_weights"]:
        named["train.network_weights"] = CONFIG["train"]["network_weights"]
    return named


def list_files(named):
    """The state of files that settings name."""
    # a real run is told by the preflight what is not there, with all else that is wrong
    runs = workflow.executor_plugin is not None and not workflow.dryrun
    told_later = runs and not workflow.execution_settings.no_hooks
    return [file_manifest(setting, path, told_later) for setting, path in named.items()]


def model_manifests(stage):
    """Input function: the state of every model file that the stage loads."""

    @plainly
    def list_models(wildcards):
        return list_files(named_models(stage))

    return list_models
