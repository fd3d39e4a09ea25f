"""How far a long run is: a bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Progress"]

LOG_EVERY = 30.0
"""Seconds between two lines in a log file."""


class Progress:
    """Progress of a run, on stderr: count, rate and time left.

    Use as a context manager, so that the bar ends with its line.

    Parameters
    ----------
    unit : str
        What is counted, in the plural.
    total : int
        How many there are.
    done : int
        How many of them were there before; they do not count for the rate.
    """

    def __init__(self, unit: str, total: int, done: int = 0) -> None:
        from tqdm import tqdm

        self._unit, self._total = unit, total
        self._first, self._start = done, time.monotonic()
        self._said = self._start
        self._bar: tqdm[Any] = tqdm(
            total=total, initial=done, unit=unit.removesuffix("s"), disable=None, file=sys.stderr
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show how many are done by now.

        Parameters
        ----------
        done : int
        total : int, optional
            How many there are, where it turns out that there are more.
        note : str
            What else there is to say.
        """
        if total is not None:
            self._total = self._bar.total = total
        if not self._bar.disable:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if now - self._said >= LOG_EVERY and done > self._first:
            self._said = now
            rate = (done - self._first) / (now - self._start)
            left = self._bar.format_interval((self._total - done) / rate)
            line = f"{done:,} of {self._total:,} {self._unit}, {rate:.3g} per second, {left} left"
            click.echo(f"{line}; {note}" if note else line, err=True)
