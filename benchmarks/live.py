"""A session in a real viewer: time from mouse to mask, from key to object, and our longest slots.

Hovers while tiles are encoded, clicks, accepts, takes back, finds everything in view, filters,
keeps and reviews, on images of several sizes. Run it with a display, or under Xvfb:

xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/live.py --json live.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from gui_slots import Slots
from napari.utils.interactions import mouse_move_callbacks
from qtpy.QtWidgets import QApplication

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide

if TYPE_CHECKING:
    from collections.abc import Callable

ZOOM = 2.0
"""Screen pixels per pixel of the image: nuclei of the slide are then 30 to 60 wide."""

DIAMETER = 24.0
"""Of the nuclei, in pixels of the image."""


def wait(until: Callable[[], bool], seconds: float = 300) -> None:
    """Let the GUI work until something holds."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise SystemExit("this took too long: is the model on this computer?")
        QApplication.processEvents()
        time.sleep(0.0005)


def rest(seconds: float) -> None:
    """Let the GUI work for a while."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def add_slide(viewer: napari.Viewer, slide: SyntheticSlide) -> Any:
    """Show a synthetic slide as File > Open Sample does, of any size."""
    levels = tuple(slide.levels)
    (limits,) = ns.open_image(levels).limits
    multiscale = len(levels) > 1
    data = levels if multiscale else np.asarray(levels[0][:, :])
    return viewer.add_image(data, name="slide", multiscale=multiscale, contrast_limits=limits)


@dataclass
class Live:
    """One viewer with a panel on one slide.

    Attributes
    ----------
    slots : Slots
    size : int
        Pixels along a side of the slide.
    model : str
    steps : dict of str to list of float
        Milliseconds from a key to what it changed on the screen, by what it did: until it was
        given to napari, and until the window was drawn.
    """

    slots: Slots
    size: int
    model: str
    steps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def open(self) -> None:
        """Open viewer and panel."""
        from napari_sam.ui.widget import SamWidget

        self.slots.during(f"opening, {self.size}")
        self.viewer = napari.Viewer(show=True)
        self.slide = SyntheticSlide((self.size, self.size), seed=0)
        add_slide(self.viewer, self.slide)
        self.panel = self.slots.timed("SamWidget", SamWidget, self.viewer)
        self.viewer.window.add_dock_widget(self.panel)
        self.session: Any = self.panel.session
        self.session.use_model(self.model)
        self.middle = (self.size / 2, self.size / 2)
        self.viewer.scene.camera.zoom = ZOOM
        self.viewer.scene.camera.center = self.middle
        rest(1.0)
        self.slots.during(f"taking tools, {self.size}")
        for take in (self.session.draw_boxes, self.session.draw_points):
            take()
            rest(0.5)

    def move(self, position: tuple[float, float]) -> None:
        """Move the mouse over the canvas."""
        event = SimpleNamespace(
            type="mouse_move", position=position, is_dragging=False, button=None, modifiers=()
        )
        mouse_move_callbacks(self.viewer, event)

    def encode(self, tiles: int) -> None:
        """Let the tiles in view be encoded, and look around, click and accept meanwhile."""
        session = self.session
        self.slots.during(f"embedding, {self.size}")
        self.move(self.middle)  # the background begins here
        wait(lambda: session.background.tiles is not None)
        wanted = min(tiles, len(session.background.tiles.ready))
        wait(lambda: sum(session.background.tiles.ready) >= 1)
        for nucleus in self.nuclei()[:3]:
            self.click(nucleus)
            self.step("first accept" if not session.objects.rows else "accept", session.accept)
        for step in range(20):  # the view moves while tiles come in
            self.viewer.scene.camera.center = self.middle[0], self.middle[1] + step
            self.move(self.middle)
            QApplication.processEvents()
        self.viewer.scene.camera.center = self.middle
        wait(lambda: sum(session.background.tiles.ready) >= wanted, 600)
        session.background.enabled = False
        wait(lambda: session.background.tiles is not None)

    def nuclei(self) -> list[Any]:
        """Centres of nuclei in the tile next to the middle that is ready, the nearest first."""
        tiles = self.session.background.tiles
        ready = [c for c, done in zip(tiles.cores, tiles.ready, strict=True) if done]
        middles = np.array([np.reshape(core, (2, 2)).mean(axis=0) for core in ready])
        core = ready[int(np.argmin(np.hypot(*(middles - self.middle).T)))]
        centres = self.slide.objects(tuple(int(edge) for edge in core)).centres
        inside = [c for c in centres if core[0] < c[0] < core[2] and core[1] < c[1] < core[3]]
        return sorted(inside, key=lambda c: float(np.hypot(*(np.array(c) - self.middle))))

    def hover(self, moves: int) -> dict[str, float]:
        """Move over nuclei whose tile is ready; milliseconds from mouse to mask."""
        session = self.session
        self.slots.during(f"hovering, {self.size}")
        answered: list[float] = []
        shown: list[bool] = []
        answer = session.hover._answered

        def note(*arguments: Any) -> None:
            answer(*arguments)
            answered.append(time.perf_counter())
            shown.append(arguments[-1].value is not None)

        session.hover._answered = note
        random, nuclei = np.random.default_rng(0), self.nuclei()
        times, draws = [], []
        for _ in range(moves + 5):
            y, x = random.choice(nuclei) + random.normal(0, 2, 2)
            before, begin = len(answered), time.perf_counter()
            self.move((y, x))
            wait(lambda before=before: len(answered) > before)
            times.append(1000 * (answered[-1] - begin))
            begin = time.perf_counter()
            QApplication.processEvents()
            draws.append(1000 * (time.perf_counter() - begin))
        session.hover._answered = answer
        warm = np.array(times[5:])
        return {
            "shown": float(np.mean(shown[-moves:])),
            "preview_p50_ms": float(np.median(warm)),
            "preview_p95_ms": float(np.percentile(warm, 95)),
            "draw_p50_ms": float(np.median(draws[5:])),
        }

    def correct(self, objects: int) -> None:
        """Accept objects, take all back, do it all again, delete one."""
        session = self.session
        self.slots.during(f"correcting, {self.size}")
        before = len(session.objects.rows)
        for nucleus in self.nuclei()[3 : 3 + objects]:
            self.click(nucleus)
            self.step("accept", session.accept)
        count = len(session.objects.rows) - before
        for _ in range(count):
            self.step("undo", session.undo)
        for _ in range(count):
            self.step("redo", session.redo)
        self.step("delete", lambda: session.delete([max(session.objects.rows)]))
        session.ready_overlay.visible = True
        rest(0.3)

    def click(self, place: Any) -> None:
        """Click, and wait for the candidates."""
        self.session.prompts.points.add(place)
        wait(lambda: not self.session.busy)

    def step(self, name: str, call: Callable[[], object]) -> None:
        """Do something to the objects, and note how long it takes to be seen."""
        heard: list[float] = []

        def note(_: object) -> None:
            heard.append(time.perf_counter())

        self.session.objects.changed.connect(note)
        begin = time.perf_counter()
        call()
        wait(lambda: bool(heard), 60)
        self.session.objects.changed.disconnect(note)
        QApplication.processEvents()
        drawn = time.perf_counter()
        self.steps.setdefault(name, []).append((1000 * (heard[0] - begin), 1000 * (drawn - begin)))
        wait(lambda: not self.session.busy)

    def find(self, seconds: float) -> None:
        """Find everything in view for a while, choose among it, keep it, take it back."""
        automatic = self.session.automatic
        self.slots.during(f"finding, {self.size}")
        self.panel.tabs.setCurrentIndex(1)
        automatic.use_region("view")
        automatic.diameter.set(DIAMETER)
        rest(0.3)
        automatic.find()
        end = time.monotonic() + seconds
        wait(lambda: automatic.state == "idle" or time.monotonic() > end)
        wait(lambda: automatic.state == "idle" or automatic.is_found)
        automatic.cancel()
        wait(lambda: automatic.state == "idle")
        for score in (0.8, 0.7, 0.6):
            automatic.use_rules(replace(automatic.rules, min_score=score))
            rest(0.5)
        self.slots.during(f"keeping, {self.size}")
        automatic.keep()
        wait(lambda: automatic.state == "idle")
        for take in (self.session.undo, self.session.redo):
            take()
            wait(lambda: automatic.state == "idle")
        self.slots.during(f"reviewing, {self.size}")
        self.panel.tabs.setCurrentIndex(2)
        review = self.session.review
        wait(lambda: not review.working)
        review.coloured = True
        rest(0.3)
        for decide in (review.next, review.accept, review.accept, review.delete):
            decide()
            rest(0.3)

    def close(self) -> None:
        """Close the viewer."""
        self.slots.during(f"closing, {self.size}")
        self.viewer.close()
        self.session.worker.close(timeout=10)


def measure(slots: Slots, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Go through a session on one slide."""
    live = Live(slots, size, arguments.model)
    live.open()
    live.encode(arguments.tiles)
    numbers: dict[str, Any] = {"size": size, **live.hover(arguments.moves)}
    live.correct(arguments.objects)
    if arguments.find > 0:
        live.find(arguments.find)
    live.close()
    return {**numbers, "steps_ms": live.steps}


def show(row: dict[str, Any]) -> None:
    """Print what was measured on one slide."""
    print(
        f"{row['size']} px: preview p50 {row['preview_p50_ms']:.1f} ms, p95 "
        f"{row['preview_p95_ms']:.1f}, a mask for {row['shown']:.0%}; then drawn in "
        f"{row['draw_p50_ms']:.1f}"
    )
    for name, times in row["steps_ms"].items():
        given, drawn = np.array(times).T
        print(
            f"    {name}: {len(times)} times, median {np.median(given):.0f} ms and largest "
            f"{given.max():.0f}; drawn after {np.median(drawn):.0f} and {drawn.max():.0f}"
        )


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="microscopy")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--tiles", type=int, default=6, help="tiles to wait for before hovering")
    parser.add_argument("--objects", type=int, default=10, help="to accept")
    parser.add_argument("--find", type=float, default=10.0, help="seconds to find everything")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as sessions:
        os.environ["NAPARI_SAM_SESSIONS"] = sessions
        slots = Slots()
        slots.watch()
        rows = [measure(slots, size, arguments) for size in arguments.sizes]
    slots.show()
    for row in rows:
        show(row)
    if arguments.json:
        arguments.json.write_text(json.dumps({"sizes": rows, "slots": slots.table()}, indent=1))


if __name__ == "__main__":
    main()
