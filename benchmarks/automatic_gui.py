"""Everything at once in the real viewer: our longest slots on the GUI's thread, and live filters.

A slide with known objects: a model with random weights does the work of a real one on the runner's
thread, and what it finds is replaced by the known masks. Run it with a display, or under Xvfb:

xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/automatic_gui.py --json slots.json
"""

from __future__ import annotations

import argparse
import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import napari
import numpy as np
from gui_slots import Slots
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
from napari_sam.ui.automatic import Automatic
from napari_sam.ui.pages.everything_page import EverythingPage
from napari_sam.ui.preferences import Computing

KNOWN = runpy.run_path(
    str(Path(__file__).parents[1] / "tests/segmentation/automatic/slide_finder.py")
)


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
        self.objects = SimpleNamespace(
            kept=None, rows={}, annotator=None, ready=lambda: self, changed=Watch().turned
        )
        self.journal = None
        self.backend = self
        self.computing = Computing()
        self.say = self.refuse = print

    def later(self, call: Any) -> None:
        """Call something when there is nothing else to do."""
        QTimer.singleShot(0, call)

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
    slots = Slots("finding")
    slots.watch()
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
    slots.during("filtering")
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
        "longest_gap_between_events_ms": 1000 * float(gaps.max()),
    }
    slots.show()
    print(json.dumps(numbers, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps({**numbers, "slots": slots.table()}, indent=2))
    automatic.close()
    viewer.close()


if __name__ == "__main__":
    main()
