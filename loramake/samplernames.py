"""The samplers that there are, by the webui's names; known without torch, so that planning can refuse a wrong one."""

from __future__ import annotations

import difflib

from loramake.errors import UserError

# the share of fresh noise when eta is "auto", as in the webui; None: the sampler adds none
DEFAULT_ETA: dict[str, float | None] = {
    "Euler": None,
    "Euler a": 1.0,
    "LMS": None,
    "Heun": None,
    "DPM++ 2M": None,
    "DPM++ 2M Karras": None,
    "DPM++ SDE": 1.0,
    "DPM++ SDE Karras": 1.0,
    "DDIM": 0.0,
    "UniPC": None,
}


def check_sampler(name: str, *, setting: str = "grid.sampler") -> None:
    """Refuse an unknown sampler before anything is loaded.

    Raises:
        UserError: names the nearest one and lists all.
    """
    if name in DEFAULT_ETA:
        return
    by_lower = {known.lower(): known for known in DEFAULT_ETA}
    close = difflib.get_close_matches(name.lower(), list(by_lower), 1, 0.5)
    hint = f" The nearest is {by_lower[close[0]]}." if close else ""
    raise UserError(f"Unknown sampler.{hint}", found=name, expected=", ".join(DEFAULT_ETA), setting=setting)


def resolve_eta(sampler: str, eta: str | float) -> float:
    """The eta a sampler runs with: as set, or its own where that is "auto"; 0 for samplers that add no noise.

    Args:
        sampler: a known name.
        eta: "auto", or 0 (no fresh noise) … 1.
    """
    default = DEFAULT_ETA[sampler]
    if default is None:
        return 0.0
    return default if eta == "auto" else float(eta)
