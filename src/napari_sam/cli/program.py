"""What every command shares: exit codes, writing files, machine-readable output."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from napari_sam.errors import InputError, NapariSamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Program", "check_writable", "print_json", "print_version", "writing"]

USERS_MISTAKE = 2  # click's own code for wrong usage
INTERRUPTED = 130  # 128 + SIGINT, as shells count

LOGGER = logging.getLogger("napari_sam")
"""Above the loggers of all modules of the package."""


class Program(click.Group):
    """A group of commands that ends with the right exit code and one clear line."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, and to it and the commands in it the option `--verbose`."""
        super().add_command(cmd, name)
        _add_verbose(cmd)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; a user's mistake and Ctrl-C end without a traceback.

        A command may say in a `KeyboardInterrupt` how to go on.
        """
        try:
            return super().invoke(ctx)
        except NapariSamError as error:
            LOGGER.debug("the error was raised here", exc_info=True)
            click.echo(f"{ctx.info_name}: error: {error}", err=True)
            ctx.exit(USERS_MISTAKE)
        except KeyboardInterrupt as stop:
            click.echo(f"{ctx.info_name}: {str(stop) or 'interrupted'}", err=True)
            ctx.exit(INTERRUPTED)


def _add_verbose(command: click.Command) -> None:
    """Give a command the option `--verbose`; of a group, give it to the commands in it."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _add_verbose(each)
        return
    command.params.append(
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_log_to_stderr,
            help="Say on stderr what happens, and where an error comes from.",
        )
    )


def _log_to_stderr(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Show what the package logs until the program ends."""
    if not wanted:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)

    def stop() -> None:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)

    # Of the program, not of the command: that is closed before an error is told.
    ctx.find_root().call_on_close(stop)


def print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print the version when `--version` is given, and stop."""
    if wanted:
        import napari_sam

        click.echo(f"napari-sam {napari_sam.__version__}")
        ctx.exit()


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def check_writable(path: Path) -> None:
    """Refuse an output file early, before minutes of work, when its folder does not exist.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not path.parent.is_dir():
        raise InputError(
            f"the folder {path.parent} for the output {path.name} does not exist; "
            "create it or choose another one with -o"
        )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about an unwritable file into one sentence.

    Raises
    ------
    InputError
        If anything in the block could not be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}); choose another place with -o"
        ) from error
