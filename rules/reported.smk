# Which variants a report compares, and what each of them leaves.


@plainly
def reported_variants(wildcards):
    """The variants that a report compares: base, and the one in the report's path."""
    character_settings(wildcards.character)
    return list(dict.fromkeys([variants.BASE, wildcards.get("variant", variants.BASE)]))


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
