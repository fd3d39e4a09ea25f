"""What a journal says, read by whoever wants to know; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.errors import StoreError
from napari_sam.segmentation.session.journal_format import JOURNAL_FILE, Header, unpack_line

if TYPE_CHECKING:
    import os

__all__ = ["JournalContents", "read_journal"]


@dataclass(frozen=True, slots=True, eq=False)
class JournalContents:
    """What a journal says.

    Attributes
    ----------
    folder : Path
    header : Header
    entries : list of dict
        Steps, undos and redos in their order.
    end : int
        Bytes of the file up to the end of the last whole line.
    torn : bytes
        What comes after it.
    """

    folder: Path
    header: Header
    entries: list[dict[str, Any]]
    end: int
    torn: bytes

    @property
    def dropped(self) -> str | None:
        """What an unfinished last line said, for people; None without one."""
        if not self.torn:
            return None
        text = self.torn[:200].decode("utf-8", "replace").replace("\0", "").strip()
        return text or "nothing that can be read"

    @property
    def made_with(self) -> dict[str, Any]:
        """Model and limits of the last step, see `journal_format.made_with`."""
        said = [entry["made_with"] for entry in self.entries if "made_with" in entry]
        return dict(said[-1]) if said else self.header.made_with

    @property
    def labels_path(self) -> Path | None:
        """Where the labels are on disk; None when they are in memory."""
        return None if self.header.labels is None else self.folder / self.header.labels


def read_journal(folder: str | os.PathLike[str]) -> JournalContents:
    """Read a journal, whoever uses it.

    Raises
    ------
    StoreError
        When there is none, or a line is damaged that others follow.
    """
    folder = Path(folder)
    path = folder / JOURNAL_FILE
    try:
        contents = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(
            f"there is no session in {folder} (no {JOURNAL_FILE}): give the folder of one"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{path} could not be read ({error.strerror or error}): is the disk there, and may you "
            "read it?"
        ) from error
    lines = contents.split(b"\n")
    entries: list[dict[str, Any]] = []
    end = 0
    for number, line in enumerate(lines[:-1]):
        entry = unpack_line(line)
        if entry is None and number and number == len(lines) - 2 and not lines[-1]:
            break  # written in part, and its end before its middle
        if entry is None or entry.get("n") != number:
            raise StoreError(
                f"{path} is damaged in line {number + 1} of {len(lines) - 1}: restore the file "
                "from a backup; the labels themselves were not touched"
            )
        entries.append(entry)
        end += len(line) + 1
    try:
        header = Header.from_json(entries[0] if entries else {})
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path} is no journal that can be read ({error}): give the folder of a session"
        ) from error
    return JournalContents(folder, header, entries[1:], end, contents[end:])
