"""What the documentation tells people to type works, page by page and in the order of the page.

A block that cannot be run here is marked in the page, with the reason in a comment before it:
`<!-- not run: it installs packages -->`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from napari_sam.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]

PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *(REPOSITORY / "docs").rglob("*.md"),
    ]
    if "_build" not in path.parts
)

NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$")

RUN = {"python", "bash"}
"""Languages of blocks that are run."""

NEVER_RUN = {"", "text", "toml", "yaml", "json", "bibtex"}
"""Languages of blocks that are not for running."""

AT_MOST_NOT_RUN = 8


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `reason` says why it is not run."""

    line: int
    language: str
    code: str
    reason: str | None


def blocks(text: str) -> Iterator[Block]:
    """Find the fenced blocks that are code; directives of the documentation are none."""
    before = None
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and not token.info.startswith("{"):
            marked = None if before is None else NOT_RUN.search(before)
            assert token.map is not None
            yield Block(
                token.map[0] + 2, token.info.strip(), token.content, marked and marked.group(1)
            )
        before = token.content if token.type == "html_block" else None


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def run_python(block: Block, page: str, names: dict[str, Any]) -> None:
    # On the lines of the page, so that a traceback shows where.
    code = compile("\n" * (block.line - 1) + block.code, REPOSITORY / page, "exec")
    exec(code, names)


def run_bash(block: Block, folder: Path, path: str) -> None:
    """Let a shell expand the lines, then run what it called in this process."""
    calls = folder.parent / "calls"
    calls.unlink(missing_ok=True)
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, "-eu", "-c", block.code],
        env={"PATH": path, "CALLS": os.fspath(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert calls.exists(), f"line {block.line}: this block does not call napari-sam"
    for call in calls.read_text(encoding="utf-8").splitlines():
        arguments = call.split("\0")[:-1]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, f"line {block.line}: {arguments}\n{result.stderr}"


def is_run(block: Block) -> bool:
    return block.language in RUN and block.reason is None


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_run, blocks(read(page))))])
def test_the_code_of_a_page_runs(page: str, workshop: Path, bash_path: str) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(read(page)):
        if not is_run(block):
            continue
        if block.language == "python":
            run_python(block, page, names)
        else:
            run_bash(block, workshop, bash_path)


def test_every_block_says_its_language() -> None:
    known = RUN | NEVER_RUN
    unknown = [
        f"{page}:{block.line} {block.language}"
        for page in PAGES
        for block in blocks(read(page))
        if block.language not in known
    ]
    assert unknown == []


def test_few_blocks_are_not_run() -> None:
    marked = [
        f"{page}:{block.line} {block.reason}"
        for page in PAGES
        for block in blocks(read(page))
        if block.reason is not None
    ]
    assert len(marked) <= AT_MOST_NOT_RUN, "\n".join(marked)


def test_a_mark_belongs_to_the_block_after_it() -> None:
    text = "<!-- not run: no network -->\n```bash\nls\n```\n\n```python\n1 / 0\n```\n"
    assert [block.reason for block in blocks(text)] == ["no network", None]


def test_what_does_not_run_is_noticed(workshop: Path, bash_path: str) -> None:
    bad = Block(2, "bash", "napari-sam predict nothing.tif --point 1 1", None)
    with pytest.raises(AssertionError, match="line 2"):
        run_bash(bad, workshop, bash_path)
    with pytest.raises(AssertionError, match="not found"):
        run_bash(Block(2, "bash", "napary-sam demo", None), workshop, bash_path)
