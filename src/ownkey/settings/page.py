"""The page of the docs on settings; `make docs` writes it."""

from __future__ import annotations

from typing import cast

from ownkey.settings.table import TABLE


def page() -> str:
    """`docs/settings.md`, made from the table."""
    text = [
        "# Settings",
        "",
        "Each can be given in the environment and, unless it says otherwise, under its name in `config.toml` in the",
        "data folder, a file that only its owner may read (`chmod 600`). The environment comes first. Times are in",
        "seconds.",
        "",
        "*This page is made from the table in the code: `make docs`.*",
    ]
    for row in TABLE:
        text += ["", f"## {row.name}", "", row.help, "", f"- Variable: `{row.env}`"]
        text += ["- Only in the environment."] if row.env_only else []
        text += [f"- One of: {', '.join(f'`{choice}`' for choice in row.choices)}"] if row.choices else []
        text += [f"- From {row.least:g} to {row.most:g}"] if row.kind in ("integer", "number") else []
        text += [f"- Default: `{_shown(row.default)}`"] if row.default not in (None, (), frozenset()) else []
    return "\n".join(text) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return ",".join(cast("tuple[str, ...]", default)) if isinstance(default, tuple) else f"{default}"
