"""The runbook is true: its commands are run as they stand, in order, in one shell.

`verify-pipeline` alone is left out: it has a test of its own, in `stages/dataset/`.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from moto.server import ThreadedMotoServer

from svg_quality.cli import STAGES
from svg_quality.dataset.logos import discover_logos
from svg_quality.settings import COMMANDS

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
REHEARSAL = "svg-quality verify-pipeline\n"
SCRIPT = "\n".join(re.findall(r"```bash\n(.*?)```", RUNBOOK, re.DOTALL)).replace(REHEARSAL, "")
SHOWN_ONLY = {"--serve"}  # waits for Ctrl-C: tests/stages/dataset/test_inspect_stage.py runs it


@pytest.fixture
def storage() -> Iterator[str]:
    """What an operator fills into storage.env: a bucket of a real server."""
    import boto3

    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "tester", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="logos")
    client.close()
    yield (
        f"SVG_QUALITY_STORAGE=s3://logos/team\nAWS_ACCESS_KEY_ID=tester\n"
        f"AWS_SECRET_ACCESS_KEY=secret\nAWS_DEFAULT_REGION=us-east-1\nAWS_ENDPOINT_URL={endpoint}\n"
    )
    server.stop()


@pytest.fixture
def project(tmp_path: Path, storage: str) -> Path:
    """A checkout, logs of an earlier system beside it, and storage.env filled in as it is made.

    Its settings ask for less where the commands leave it to them: the README's are run with both
    forms of the backbone.
    """
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("MLproject", "storage.env.template"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    demo = folder / "experiments/demo.yaml"
    asked = yaml.safe_load(demo.read_text())
    asked |= {"extract": asked["extract"] | {"precision": "fp32"}, "train": {"epochs": 6}}
    demo.write_text(yaml.safe_dump(asked))
    with (folder / "storage.env.template").open("a") as template:
        template.write(storage)
    (folder / "old-logs/images").mkdir(parents=True)
    shutil.copy(discover_logos("diagrams")[3].path, folder / "old-logs/images/logo.png")
    (folder / "old-logs/runs.jsonl").write_text(
        '{"image_path": "logo.png", "parameters": {"color_precision": 4, "path_precision": 2},'
        ' "ssim": 0.9, "file_size": 1200}\n{"image_path": "lost.png", "ssim": 0.8}\n'
    )
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_command_of_the_runbook_runs(project: Path, bare_environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", SCRIPT],
        cwd=project, env=bare_environment, capture_output=True, text=True,
    )  # fmt: skip
    failed = [line for line in done.stderr.splitlines() if line.startswith(("+", "svg-quality:"))]
    assert done.returncode == 0, "\n".join([*failed[-3:], done.stdout[-2000:]])
    assert "1 in the table, 1 in quarantine" in done.stdout
    assert "s3://logos/team/exports/demo/1.0.0 is as its manifest says" in done.stdout
    assert (project / "data/exports/demo/1.0.0/manifest.json").exists()


def test_every_command_of_the_product_is_in_the_runbook() -> None:
    named = set(re.findall(r"svg-quality ([a-z-]+)", RUNBOOK))
    assert {*STAGES, *COMMANDS, "predict"} <= named


def test_only_what_waits_for_a_person_is_shown_and_not_run() -> None:
    shown = re.findall(r"```text\n(.*?)```", RUNBOOK, re.DOTALL)
    lines = [line for block in shown for line in block.splitlines() if "svg-quality" in line]
    assert all(any(flag in line for flag in SHOWN_ONLY) for line in lines)


def test_every_message_of_the_troubleshooting_is_one_the_code_says() -> None:
    """Word for word: each quoted message is found in the source."""
    table = RUNBOOK[RUNBOOK.index("## 10.") :]
    said = re.findall(r"^\| (`[^|]*?`+)[^|]*\|", table, re.MULTILINE)
    assert len(said) > 12
    source = "".join(path.read_text() for path in (ROOT / "src/svg_quality").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", source)  # sentences run over several lines
    for cell in said:
        message = cell.strip("` ").split("`")[0].strip()
        words = re.split(r"\d+%?|\.\.\.", message)  # numbers are filled in
        for piece in (word.strip() for word in words):
            assert piece in joined, message
