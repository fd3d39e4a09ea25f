"""What every test gets: none of the user's own files, a viewer that survives software GL."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Read once, when torch and napari are first imported: the same number of threads on every machine,
# and napari settings that are kept in memory only.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["NAPARI_CONFIG"] = ""

# A busy machine may take its time over an example: no test is about that.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a screen where there is none: Qt would abort the whole run."""
    if sys.platform != "linux" or shutil.which("Xvfb") or os.environ.get("DISPLAY"):
        return
    no_screen = pytest.mark.skip(reason="no display and no Xvfb")
    for item in items:
        if "qapp" in getattr(item, "fixturenames", ()):
            item.add_marker(no_screen)


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """Return the folder with reference weights, outputs and images; skip the test without it."""
    repository = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("NAPARI_SAM_REFERENCE") or repository.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder} (set NAPARI_SAM_REFERENCE)")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep downloads, checkpoints, sessions and caches of a test out of the user's folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("NAPARI_SAM_SESSIONS", str(tmp_path_factory.getbasetemp() / "sessions"))
    monkeypatch.delenv("NAPARI_SAM_CHECKPOINTS", raising=False)


@pytest.fixture
def disk_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the disk: "sync", and "name ..." where a finished file gets its name."""
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(descriptor: int) -> None:
        events.append("sync")
        sync(descriptor)

    def noted_replace(path: Path, target: str | Path) -> Path:
        events.append(f"name {Path(target).name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return events


@pytest.fixture(autouse=True)
def _current_gl_context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the canvas current before napari frees GL objects of a removed layer.

    napari 0.9.2 frees them outside of a paint event; Mesa's software renderer then crashes at the
    next draw. Only the tests need this: a viewer on a graphics card has not shown it.
    """
    if "make_napari_viewer" not in request.fixturenames:
        return
    from napari._vispy.canvas import VispyCanvas

    clean = VispyCanvas._clean_and_update_scenegraph

    def clean_in_context(canvas: VispyCanvas) -> None:
        canvas._scene_canvas.native.makeCurrent()
        clean(canvas)

    monkeypatch.setattr(VispyCanvas, "_clean_and_update_scenegraph", clean_in_context)
