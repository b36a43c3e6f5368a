# Which variants a report compares, and what each of them leaves.


def reported_sweeps(wildcards):
    """Sweep of the config → its variants' names, each with the variant that it comes to; for a report on all variants."""
    if wildcards.get("variant"):
        return {}
    shown = {name: variants.parse_sweep(name, SCHEMA, CONFIG["sweeps"]) for name in CONFIG["sweeps"]}
    return {name: [[each, variants.reduce(each, SCHEMA, CONFIG["train"])] for each in shown[name]] for name in shown}


@plainly
def reported_variants(wildcards):
    """The variants that a report compares: base, and the one in the report's path, else those of the config's sweeps."""
    character_settings(wildcards.character)
    swept = [variant for pairs in reported_sweeps(wildcards).values() for _, variant in pairs]
    return list(dict.fromkeys([variants.BASE, *swept, wildcards.get("variant", variants.BASE)]))


def of_each_variant(pattern):
    """Input function: a file or folder of each variant that the report compares, in their order."""

    def list_files(wildcards):
        return [pattern.format(character=wildcards.character, variant=each) for each in reported_variants(wildcards)]

    return list_files


def variant_settings(stage):
    """Input function: the settings file of a stage for each variant."""

    def list_files(wildcards):
        return [write_settings(stage, wildcards.character, variant) for variant in reported_variants(wildcards)]

    return list_files


def report_text(wildcards):
    """The content of a report's settings file."""
    values = {**stage_values("overview", wildcards.character), "sweeps": reported_sweeps(wildcards)}
    return settings.slice_text(values, "overview")


@plainly
def report_settings(wildcards):
    """Input function: its settings as a file, whose change makes it anew."""
    path = Path("work/settings", wildcards.character, wildcards.get("variant", ""), "overview.json")
    return write_once(path.as_posix(), report_text(wildcards))


@plainly
def report_digest(wildcards):
    """Params function: the digest of that file as planned."""
    return settings.digest(report_text(wildcards))
