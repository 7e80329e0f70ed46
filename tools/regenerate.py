"""Everything that is made from the code, made anew: `python tools/regenerate.py`.

Pages, the Python client, the dashboard and the schema. Not the types of OCPP (gen_ocpp) nor the lock files (lock.sh), which
follow what others publish. What is made is committed with the change that it follows; tests fail while it is out of date.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TOOLS = ("schema", "problems_page", "events_page", "ocpp_table", "grafana", "gen_client")

if __name__ == "__main__":
    for tool in TOOLS:
        subprocess.run([sys.executable, str(FOLDER / f"{tool}.py")], check=True)
