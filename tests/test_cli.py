"""The command line as a person meets it: help, refusals in one sentence, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from svg_quality import __all__ as public
from svg_quality import __dir__, __getattr__
from svg_quality.cli import main

COMMAND = str(Path(sys.executable).parent / "svg-quality")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    listed = capsys.readouterr().out
    for command in (
        "main",
        "convert",
        "dataset",
        "extract",
        "train",
        "evaluate",
        "promote",
        "predict",
    ):
        assert f"    {command} " in listed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "nowhere.png"], "an image must be readable, got nowhere.png"),
        (
            ["convert", "--config", "nowhere.yaml"],
            "settings must be a readable YAML file, nowhere.yaml",
        ),
        (["train", "--epochs", "many"], "train.epochs"),
        (["convert", "--logos", "nowhere"], "a source must be a folder of images, nowhere is none"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.startswith("svg-quality: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said


@pytest.mark.slow
def test_help_and_a_refused_prediction_do_not_wait_for_mlflow_or_torch() -> None:
    program = (
        "import sys; from svg_quality.cli import main\n"
        "code = main(['predict', 'nowhere.png'])\n"
        "heavy = {'mlflow', 'torch', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr


@pytest.mark.slow
def test_the_installed_command_prints_its_version() -> None:
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "svg-quality 0.1.0\n"


def test_public_names_are_there_and_no_others() -> None:
    for name in public:
        if name != "__version__":
            assert __getattr__(name).__name__ == name
    assert set(public) <= set(__dir__())
    with pytest.raises(AttributeError, match="no attribute 'Magic'"):
        __getattr__("Magic")
