"""The README is true: its table is the benchmarks', its tree is the repository's."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_table_is_what_the_benchmarks_wrote() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "experiments/benchmarks/table.py"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in README


def test_the_tree_names_every_module_and_nothing_else() -> None:
    tree = re.search(r"```text\n(src/svg_quality.*?)```", README, re.DOTALL)
    assert tree is not None
    listed: set[str] = set()
    folder = ""
    for line in tree[1].splitlines():
        name = line.split("  ")[0] if not line.startswith(" ") else line.split()[0]
        if line.startswith(" "):
            listed.add(f"{folder}{name}")
        else:
            folder = name
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "src/svg_quality").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert {name for name in listed if name.endswith(".py")} == found


def test_every_make_target_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", README)) | set(
        re.findall(r"^make ([a-z]+)", README, re.MULTILINE)
    )
    assert named
    assert named <= targets


def test_every_link_to_a_file_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link
