"""The mask under the mouse, in a real viewer: time to the screen, and our longest slots.

xvfb-run -a python benchmarks/live.py --json live.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.utils.interactions import mouse_move_callbacks
from qtpy.QtWidgets import QApplication

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.ui import workers
from napari_sam.ui.preview import _new_preview
from napari_sam.ui.widget import SamWidget

if TYPE_CHECKING:
    from collections.abc import Callable

ZOOM = 2.0
"""Screen pixels per pixel of the image: nuclei of the slide are then 30 to 60 wide."""

SLOTS: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
"""Milliseconds that the GUI's thread spent in our code, by what it was for, and of these those on
a processor: the others are other programs'."""


def timed(name: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call, and note how long it took."""
    begin, worked = time.perf_counter(), time.thread_time()
    try:
        return call(*arguments)
    finally:
        SLOTS[name].append(
            (1000 * (time.perf_counter() - begin), 1000 * (time.thread_time() - worked))
        )


def wait(until: Callable[[], bool], seconds: float = 120) -> None:
    """Let the GUI work until something holds."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise SystemExit("this took too long: is the model on this computer?")
        QApplication.processEvents()
        time.sleep(0.0005)


def add_slide(viewer: napari.Viewer, slide: SyntheticSlide) -> Any:
    """Show a synthetic slide as File > Open Sample does, of any size."""
    levels = tuple(slide.levels)
    (limits,) = ns.open_image(levels).limits
    multiscale = len(levels) > 1
    data = levels if multiscale else np.asarray(levels[0][:, :])
    return viewer.add_image(data, name="slide", multiscale=multiscale, contrast_limits=limits)


def move(viewer: napari.Viewer, position: tuple[float, float]) -> None:
    """Move the mouse over the canvas."""
    event = SimpleNamespace(
        type="mouse_move", position=position, is_dragging=False, button=None, modifiers=()
    )
    timed("mouse move", mouse_move_callbacks, viewer, event)


def measure(model: str, size: int, moves: int, tiles: int) -> dict[str, Any]:
    """Hover over one slide, and click once."""
    SLOTS.clear()
    viewer = napari.Viewer(show=True)
    slide = SyntheticSlide((size, size), seed=0)
    add_slide(viewer, slide)
    panel = SamWidget(viewer)
    viewer.window.add_dock_widget(panel)
    session = panel.session
    session.use_model(model)
    session.draw_points()
    middle = (size / 2, size / 2)
    viewer.scene.camera.zoom = ZOOM
    viewer.scene.camera.center = middle
    QApplication.processEvents()

    answered: list[float] = []
    shown: list[bool] = []
    answer = session.hover._answered

    def note(*arguments: Any) -> None:
        answer(*arguments)
        answered.append(time.perf_counter())
        shown.append(arguments[-1].value is not None)

    session.hover._answered = note
    # Adding a layer takes napari 80 ms, once for each image.
    timed("preview, first", _new_preview, viewer, session.image)
    move(viewer, middle)  # the background begins here
    wait(lambda: session.background.tiles is not None)
    in_view = len(session.background.tiles.ready)
    wanted = min(tiles, in_view)
    wait(lambda: sum(session.background.tiles.ready) >= wanted, 600)
    for step in range(20):  # the view moves while tiles come in
        timed("camera move", setattr, viewer.scene.camera, "center", (middle[0], middle[1] + step))
        QApplication.processEvents()
    viewer.scene.camera.center = middle
    session.background.enabled = False
    wait(lambda: session.background.tiles is not None)

    ready = [
        core
        for core, is_ready in zip(
            session.background.tiles.cores, session.background.tiles.ready, strict=True
        )
        if is_ready
    ]
    middles = [np.reshape(core, (2, 2)).mean(axis=0) for core in ready]
    core = ready[int(np.argmin(np.hypot(*(np.array(middles) - middle).T)))]
    nuclei = [
        centre
        for centre in slide.objects(tuple(int(edge) for edge in core)).centres
        if core[0] < centre[0] < core[2] and core[1] < centre[1] < core[3]
    ]
    random = np.random.default_rng(0)
    times, draws = [], []
    for _ in range(moves + 5):
        y, x = random.choice(nuclei) + random.normal(0, 2, 2)
        before, begin = len(answered), time.perf_counter()
        move(viewer, (y, x))
        wait(lambda before=before: len(answered) > before)
        times.append(1000 * (answered[-1] - begin))
        begin = time.perf_counter()
        QApplication.processEvents()
        draws.append(1000 * (time.perf_counter() - begin))
    timed("overlay, first", setattr, session.ready_overlay, "visible", True)
    timed("click", session.prompts.points.add, middle)
    wait(lambda: not session.busy)
    warm = np.array(times[5:])
    result = {
        "size": size,
        "tiles_in_view": in_view,
        "shown": float(np.mean(shown[-moves:])),
        "preview_p50_ms": float(np.median(warm)),
        "preview_p95_ms": float(np.percentile(warm, 95)),
        "draw_p50_ms": float(np.median(draws[5:])),
        "longest_slots_ms": {name: max(ms for ms, _ in spent) for name, spent in SLOTS.items()},
        "most_cpu_ms": {name: max(cpu for _, cpu in spent) for name, spent in SLOTS.items()},
    }
    viewer.close()
    panel.session.worker.close(timeout=10)
    return result


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobile_sam")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--tiles", type=int, default=6, help="tiles to wait for before hovering")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    call = workers.LatestWorker._call

    def timed_call(worker: workers.LatestWorker, what: Callable[[], None]) -> None:
        timed("answer or tile", call, worker, what)

    workers.LatestWorker._call = timed_call  # type: ignore[method-assign]
    rows = [
        measure(arguments.model, size, arguments.moves, arguments.tiles) for size in arguments.sizes
    ]
    print("   size  tiles  shown  p50 ms  p95 ms  draw ms  longest slots, ms (on a processor)")
    for row in rows:
        slots = ", ".join(
            f"{name} {ms:.1f} ({row['most_cpu_ms'][name]:.1f})"
            for name, ms in row["longest_slots_ms"].items()
        )
        print(
            f"{row['size']:7d} {row['tiles_in_view']:6d} {row['shown']:6.2f} "
            f"{row['preview_p50_ms']:7.1f} {row['preview_p95_ms']:7.1f} "
            f"{row['draw_p50_ms']:8.1f}  {slots}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
