"""What is made while a wheel or an archive of the sources is built: the page, and the wheel's bill of materials."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from build_page import build, find_node, is_built
from write_sbom import FILE, sbom


class Hook(BuildHookInterface[Any]):
    """In place, for whoever works on it, nothing is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        if not is_built(root):
            build(find_node(Path(sys.prefix), root / ".venv"), root)
        if self.target_name == "wheel":
            self._folder = tempfile.TemporaryDirectory(prefix="ownkey-sbom-")
            file = Path(self._folder.name) / FILE
            file.write_text(sbom(root), "utf-8")
            build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable" and self.target_name == "wheel":
            self._folder.cleanup()
