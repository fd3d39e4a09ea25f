"""Exit codes, help, and what starting the program costs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

import napari_sam
from napari_sam.cli import main
from napari_sam.cli.program import Program
from napari_sam.errors import CheckpointError, DownloadError, InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the program, groups too, as what has to be typed."""
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def is_leaf(path: tuple[str, ...]) -> bool:
    """Whether this is a command, not a group of commands."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return not isinstance(command, click.Group)


def program_that_raises(error: BaseException) -> Program:
    """Make a program with one command, `go`, that ends with an error."""
    program = Program(name="napari-sam")

    @program.command()
    def go() -> None:
        raise error

    return program


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...], run: Run) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"Example:\n    {' '.join(('napari-sam', *command))}" in result.stdout


@pytest.mark.parametrize(
    "error_class", [InputError, InputTypeError, CheckpointError, DownloadError]
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(error_class: type[Exception]) -> None:
    program = program_that_raises(error_class("the image is empty; give one with pixels"))
    result = CliRunner().invoke(program, ["go"], prog_name="napari-sam")
    assert result.exit_code == 2
    assert result.stderr == "napari-sam: error: the image is empty; give one with pixels\n"
    assert result.stdout == ""


def test_verbose_says_where_an_error_comes_from() -> None:
    program = program_that_raises(InputError("the image is empty; give one with pixels"))
    quiet = CliRunner().invoke(program, ["go"], prog_name="napari-sam")
    told = CliRunner().invoke(program, ["go", "--verbose"], prog_name="napari-sam")
    assert told.exit_code == quiet.exit_code == 2
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in told.stderr
    assert told.stderr.endswith(quiet.stderr)


@pytest.mark.parametrize("command", [path for path in commands() if is_leaf(path)], ids=" ".join)
def test_every_command_can_be_verbose(command: tuple[str, ...], run: Run) -> None:
    assert "--verbose" in run(*command, "--help").stdout


def test_verbose_logs_until_the_command_ends(run: Run, disc: Path, tiny_model: Path) -> None:
    prompt = ("predict", disc, "--point", 30, 40, "--model", tiny_model)
    assert "napari_sam" not in run(*prompt).stderr
    told = run(*prompt, "--verbose")
    assert "napari_sam.images.source: opened" in told.stderr
    assert "napari_sam.segmentation.encoding: encoded 1 tile" in told.stderr
    assert told.stdout == run(*prompt).stdout
    assert "napari_sam" not in run(*prompt).stderr


def test_a_bug_keeps_its_traceback_and_exit_code_1() -> None:
    result = CliRunner().invoke(program_that_raises(ZeroDivisionError("bug")), ["go"])
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_ctrl_c_is_exit_code_130() -> None:
    result = CliRunner().invoke(program_that_raises(KeyboardInterrupt()), ["go"])
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


@pytest.mark.parametrize("arguments", [["segmnet"], ["predict"], ["info", "--colour"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").stdout == f"napari-sam {napari_sam.__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from napari_sam.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'skimage', 'PIL', 'zarr', 'dask', 'napari', 'qtpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
    assert "predict" in ended.stdout


def test_the_program_runs_as_a_module(disc: Path, tiny_model: Path) -> None:
    prompt = ("--point", "500", "500", "--model", str(tiny_model))
    ended = subprocess.run(
        [sys.executable, "-m", "napari_sam.cli", "predict", disc, *prompt],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("napari-sam: error: ")
    assert ended.stderr.count("\n") == 1
