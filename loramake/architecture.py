"""What the configurations of SD1's parts may say: read as attributes, and refused where no SD1-type model says so."""

from __future__ import annotations

from collections.abc import Mapping

from loramake.errors import UserError


class Config(dict):
    """A part's configuration in diffusers layout, with its keys as attributes too."""

    def __getattr__(self, name: str) -> object:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_dict(self) -> dict[str, object]:
        """A plain copy."""
        return dict(self)


def read_config(given: Mapping[str, object], defaults: Mapping[str, object], fixed: Mapping[str, object]) -> Config:
    """A part's configuration, completed.

    Args:
        given: as in `config.json`; keys that neither `defaults` nor `fixed` name are kept and not looked at.
        defaults: of the keys that may vary.
        fixed: of the keys that all SD1-type models have in common.

    Raises:
        UserError: another value of a fixed key.
    """
    for key, value in fixed.items():
        if given.get(key, value) not in (value, None):
            raise UserError(
                "This architecture is none of SD1's.",
                found=f"{key}: {given[key]}",
                expected=f"{key}: {value}",
                setting="base_model_config or base_model",
            )
    return Config({**defaults, **fixed, **{key: value for key, value in given.items() if value is not None}})
