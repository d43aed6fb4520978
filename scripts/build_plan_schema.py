"""Write src/costctl/schemas/plan.json: the schemas of all levers in one, for plan.yaml and its editors.

python scripts/build_plan_schema.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from costctl.simulate.plan_file import LEVERS

FILE = r"\.ya?ml$"
SCHEMAS = Path(__file__).parent.parent / "src" / "costctl" / "schemas"


def schema() -> dict[str, Any]:
    """The schema of plan.yaml: a key for each lever, with what the schema of the lever allows, or the name
    of a file that has it."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, lever in LEVERS.items():
        said = json.loads((SCHEMAS / f"{lever.schema}.json").read_text(encoding="utf-8"))
        inner = said.pop("$defs", {})
        for key in ("$schema", "title"):
            said.pop(key, None)
        definitions |= {f"{name}_{key}": _renamed(each, name) for key, each in inner.items()}
        definitions[name] = _renamed(said, name)
        properties[name] = {
            "description": said.get("description", ""),
            "anyOf": [
                {"$ref": f"#/$defs/{name}"},
                {
                    "description": "A file with it, beside this one: name.yaml.",
                    "type": "string",
                    "pattern": FILE,
                },
            ],
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "plan.yaml: levers for costctl simulate",
        "description": "What is simulated together: a key for each lever. They act in their natural order, "
        "whatever the order of the file.",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": properties,
        "$defs": definitions,
    }


def _renamed(said: Any, lever: str) -> Any:
    """``said`` with its references to definitions of the lever's own."""
    if isinstance(said, dict):
        return {
            key: f"#/$defs/{lever}_{each.rpartition('/')[2]}" if key == "$ref" else _renamed(each, lever)
            for key, each in said.items()
        }
    return [_renamed(each, lever) for each in said] if isinstance(said, list) else said


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (SCHEMAS / "plan.json").write_text(text(), encoding="utf-8")
