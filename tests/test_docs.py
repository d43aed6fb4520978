"""What README.md and docs/ say is what happens: their commands are run, their links followed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import build_reference
import docs_outputs
import pytest

PAGES = docs_outputs.PAGES
LINKING = [*PAGES, docs_outputs.ROOT / "CONTRIBUTING.md", docs_outputs.ROOT / "CHANGELOG.md"]


def page_name(path: Path) -> str:
    return str(path.relative_to(docs_outputs.ROOT))


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_commands_print_what_the_page_shows(path: Path) -> None:
    page = docs_outputs.read(path)
    results = docs_outputs.run(page)
    following = [*page.commands, None][1:]
    for command, result, after in zip(page.commands, results, following, strict=True):
        where = f"{path.name}:{command.line + 1}: {command.text}"
        printed = "\n".join(result.output)
        if command.shown is not None:
            assert docs_outputs.agrees(command.shown, result.output), f"{where}\nprints\n{printed}"
        failure_is_shown = after is not None and after.text.startswith("echo $?")
        assert result.status == 0 or failure_is_shown, f"{where}\nfails\n{printed}"


BESIDE_VENDORS = docs_outputs.ROOT / "docs" / "sdk.md"
"""Its programs are run by tests/sdk/calls/test_sdk_page.py, where there are vendors to ask."""


@pytest.mark.parametrize("path", [each for each in PAGES if each != BESIDE_VENDORS], ids=page_name)
def test_programs_run(path: Path, tmp_path: Path) -> None:
    """The Python of a page, as one program, where sample_data stands beside it."""
    blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "sample_data").symlink_to(docs_outputs.ROOT / "sample_data")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_no_command_hides_in_another_kind_of_block(path: Path) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    others = [body for language, body in blocks if language not in {"console", "sh"}]
    assert not [body for body in others if re.search(r"^(\$ |costctl )", body, re.MULTILINE)]


@pytest.mark.parametrize("path", LINKING, ids=page_name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{path.name} links to {target}"


def anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


COMMANDS = [
    context.command_path for context in build_reference.contexts() if not hasattr(context.command, "commands")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_explained_on_a_page_written_by_hand(command: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in PAGES if path != build_reference.REFERENCE]
    assert re.search(rf"{re.escape(command)}\b", "\n".join(texts))


def test_one_line_stands_for_any_number_of_lines() -> None:
    agrees = docs_outputs.agrees
    assert agrees(["a", "…", "z"], ["a", "b", "c", "z"])
    assert agrees(["a", "…", "z"], ["a", "z"])
    assert not agrees(["a", "…", "a"], ["a"])
    assert not agrees(["a", "…", "z"], ["a", "b"])
    assert not agrees(["a", "z"], ["a", "b", "z"])


def test_a_page_is_read_as_its_reader_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "```sh\npython3 -m venv .venv && .venv/bin/costctl demo\n```\n"
        "```console\n$ echo a \\\n  b\na b\n\n$ false\n$ echo $?\n1\n```\n"
        "```sh\necho costctl > x\n```\n```yaml\ncostctl: 1\n```\n"
    )
    page = docs_outputs.read(path)
    assert [(each.text, each.shown) for each in page.commands] == [
        ("echo a \\\n  b", ["a b"]),
        ("false", []),
        ("echo $?", ["1"]),
        ("echo costctl > x", None),
    ]
    results = docs_outputs.run(page)
    assert [(each.output, each.status) for each in results] == [(["a b"], 0), ([], 1), (["1"], 0), ([], 0)]
