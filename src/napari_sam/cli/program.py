"""What every command shares: exit codes, writing files, machine-readable output."""

from __future__ import annotations

import json
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


class Program(click.Group):
    """A group of commands that ends with the right exit code and one clear line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; a user's mistake and Ctrl-C end without a traceback.

        A command may say in a `KeyboardInterrupt` how to go on.
        """
        try:
            return super().invoke(ctx)
        except NapariSamError as error:
            click.echo(f"{ctx.info_name}: error: {error}", err=True)
            ctx.exit(USERS_MISTAKE)
        except KeyboardInterrupt as stop:
            click.echo(f"{ctx.info_name}: {str(stop) or 'interrupted'}", err=True)
            ctx.exit(INTERRUPTED)


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
