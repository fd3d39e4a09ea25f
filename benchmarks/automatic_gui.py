"""Everything at once in the real viewer: the longest slots on the GUI's thread, and live filters.

A slide with known objects: a model with random weights does the work of a real one on the runner's
thread, and what it finds is replaced by the known masks. Run it with a display, or under Xvfb:

xvfb-run -a python benchmarks/automatic_gui.py --json automatic_gui.json
"""

from __future__ import annotations

import argparse
import functools
import json
import runpy
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import napari
import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_sam.images.source import open_image
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.tile_masks import TileFinding, find_in_tile
from napari_sam.segmentation.predict import Segmenter
from napari_sam.ui.activity import Activity
from napari_sam.ui.automatic import Automatic
from napari_sam.ui.diameter import Diameter
from napari_sam.ui.found_drawing import FoundDrawing
from napari_sam.ui.pages.everything_page import EverythingPage
from napari_sam.ui.runner import Runner

KNOWN = runpy.run_path(
    str(Path(__file__).parents[1] / "tests/segmentation/automatic/slide_finder.py")
)
SLOTS = (
    (Automatic, ("find", "use_rules", "pause", "resume", "cancel", "_on_progress", "_on_found")),
    (FoundDrawing, ("show", "use_rules", "more", "_on_view", "_on_drawn", "_on_end")),
    (Runner, ("_on_posted", "_deliver")),
    (EverythingPage, ("sync",)),
    (Activity, ("sync", "_change")),
    (Diameter, ("set",)),
)


class Slots:
    """Times calls of methods, those inside others too."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        for owner, names in SLOTS:
            for name in names:
                setattr(owner, name, self._timed(owner, name))

    def _timed(self, owner: type, name: str) -> Any:
        inner = getattr(owner, name)
        heard = self.seconds[f"{owner.__name__}.{name}"]

        @functools.wraps(inner)
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                heard.append(time.perf_counter() - begin)

        return call

    def table(self) -> dict[str, dict[str, float]]:
        """Count the calls of each; median and longest two in ms: the first makes layer and bar."""
        return {
            name: {
                "calls": len(each),
                "median_ms": 1000 * float(np.median(each)),
                "longest_ms": 1000 * max(each),
                "next_longest_ms": 1000 * sorted(each)[-2] if len(each) > 1 else 0.0,
            }
            for name, each in sorted(self.seconds.items())
            if each
        }


class Known:
    """Finds what a slide holds, after a model has looked at a few points of the tile."""

    def __init__(self, slide: SyntheticSlide, points: int) -> None:
        self._slide, self._points = slide, points
        self.records: Records | None = None

    def __call__(
        self, decoder: Any, tile: Any, window: Any, points: Any, *args: Any, **more: Any
    ) -> TileFinding:
        """Stand in for `find_in_tile`."""
        if self.records is None:
            shape, size = self._slide.shape, window.size
            self.records = Records(KNOWN["identity"](shape, size), {}, shape)
        spread = points[:: max(1, len(points) // self._points)]
        find_in_tile(decoder, tile, window, spread, *args, **more)
        index = more["tile_index"]
        found = KNOWN["find"](self._slide, self.records, window.sampling[0], index)
        return TileFinding(found, len(spread), len(points) - len(spread), 0)


class Watch:
    """The image that the session is turned to."""

    turned = Signal(object)

    def input(self, image: Any) -> Any:
        """Describe the image."""
        return SimpleNamespace(key=image.unique_id, data=image.data, axes="YX")


class Session:
    """Only what an automatic run asks a session for."""

    changed = Signal()
    model = "known"
    busy = False

    def __init__(self, viewer: Any, image: Any, segmenter: Segmenter) -> None:
        self.viewer, self.image, self._segmenter = viewer, image, segmenter
        self.image_watch = Watch()
        self.objects = SimpleNamespace(kept=None, rows={}, ready=lambda: self)
        self.journal = None
        self.backend = self
        self.say = self.refuse = print

    def segmenter(self, *_: Any) -> Segmenter:
        """Stand in for a backend."""
        return self._segmenter


def wait(condition: Any, seconds: float = 3600.0) -> float:
    """Handle events until something holds; returns the seconds that it took."""
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > seconds:
            raise SystemExit("took too long")
        QApplication.processEvents()
        time.sleep(0.002)
    return time.perf_counter() - begin


def main() -> None:
    """Run over the slide in a viewer, then move the thresholds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--points", type=int, default=16, help="points a tile asked for real")
    parser.add_argument("--variant", default="tiny_vit")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    slots = Slots()
    slide = SyntheticSlide((arguments.size, arguments.size))
    find_masks.find_in_tile = Known(slide, arguments.points)
    model = build_sam(arguments.variant, seed=0)
    pixels = slide.labels((0, 0, *slide.shape)).astype(np.uint16)
    pixels = np.where(pixels > 0, 180, 20).astype(np.uint8)
    viewer = napari.Viewer(show=True)
    image = viewer.add_image(pixels, name="slide", contrast_limits=(0, 255))
    segmenter = Segmenter(model, open_image(pixels, limits=(0, 255)), diameter=64)
    session = Session(viewer, image, segmenter)
    session.automatic = automatic = Automatic(session)
    viewer.window.add_dock_widget(EverythingPage(session), name="Everything")
    automatic.use_region("plane")
    automatic.diameter.set(64.0)
    ticks: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(5)

    automatic.find()
    moved = 0

    def is_done() -> bool:
        nonlocal moved
        if len(ticks) // 200 > moved:  # look around while it runs
            moved += 1
            viewer.scene.camera.zoom = (0.1, 0.4, 1.0)[moved % 3]
        return automatic.state == "idle"

    run = wait(is_done)
    gaps = np.diff(ticks)
    table = slots.table()
    slots.seconds.clear()
    viewer.reset_view()
    filters = []
    for score in (0.9, 0.6, 0.88):
        before = automatic.drawing.view
        automatic.use_rules(MergeRules(min_score=score))
        filters.append(wait(lambda before=before: automatic.drawing.view is not before))
    folder = automatic._run.folder
    masks = sum(len(batch.found) for batch in Records.open(folder).batches(()))
    view = automatic.drawing.view
    numbers = {
        "image": list(slide.shape),
        "run_s": run,
        "tiles": automatic.progress.total,
        "masks_recorded": masks,
        "objects_in_view": view.objects,
        "view_is_complete": view.is_complete,
        "filter_s": filters,
        "longest_slot_ms": max(row["longest_ms"] for row in table.values()),
        "longest_gap_between_events_ms": 1000 * float(gaps.max()),
        "slots": table,
    }
    print(json.dumps(numbers, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2))
    automatic.close()
    viewer.close()


if __name__ == "__main__":
    main()
