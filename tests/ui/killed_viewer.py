"""Lets viewers accept objects with real clicks, kills them at random moments, and looks again.

Each viewer is a process of its own. It brings back what the one before had accepted, through the
panel, says what is missing, and goes on until it is killed:

xvfb-run -a python tests/ui/killed_viewer.py --kills 20
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (1100, 1300)
SPACING = 50
"""Pixels between the places that are clicked; the discs around them have a radius of 6."""

LONGEST = 1.5
"""Seconds from the first object of a viewer to its end, at most."""

PATIENCE = 120.0
"""Seconds after which a viewer that shows nothing is a mistake."""


def place(number: int) -> tuple[int, int]:
    """Pixel that is clicked for an object, by its id."""
    columns = SHAPE[1] // SPACING - 2
    return SPACING * (1 + number // columns), SPACING * (1 + number % columns)


def view(kind: str, expected: int, tell: Callable[..., None]) -> None:
    """Open a viewer, look what is there, and accept objects until the end."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_sam.ui import label_layers
    from napari_sam.ui.widget import SamWidget

    label_layers.ONE_LEVEL = 1_000
    discs = runpy.run_path(str(Path(__file__).with_name("conftest.py")))["DiscBackend"]
    pixels = (np.arange(SHAPE[0] * SHAPE[1]) % 251).astype(np.uint8).reshape(SHAPE)
    data = [pixels, pixels[::2, ::2]] if kind == "disk" else pixels
    viewer = napari.Viewer(show=True)
    viewer.add_image(data, multiscale=kind == "disk", name="cells", contrast_limits=(0, 255))
    panel = SamWidget(viewer, backend=discs())
    viewer.window.add_dock_widget(panel)
    session: Any = panel.session
    page = panel.click_page

    def wait(until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            if time.monotonic() > end:
                raise TimeoutError
            QApplication.processEvents()
            time.sleep(0.001)

    def colour_at(number: int) -> int:
        layer = session.objects.layer
        finest = layer.data[0] if layer.multiscale else layer.data
        return int(np.asarray(finest[place(number)]))

    if expected:
        wait(lambda: session.reopening.offer is not None)
        page.bring_back_button.click()
        wait(lambda: bool(session.objects.rows))
    there = sorted(session.objects.rows)
    right = [number for number in there if colour_at(number) == number]
    tell("there", right)
    page.points_button.click()
    heard: list[int] = []
    session.objects.changed.connect(lambda change: heard.extend(change.ids))
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    viewer.reset_view()
    QApplication.processEvents()
    for number in range(len(there) + 1, 400):
        camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
        y, x = size / 2 + (np.array(place(number)) - camera.center[-2:]) * camera.zoom
        for event in (canvas.events.mouse_press, canvas.events.mouse_release):
            event(pos=(x, y), modifiers=(), button=1)
        wait(lambda: not session.busy and session.objects.candidates is not None)
        page.accept_button.click()
        wait(lambda number=number: number in heard)
        tell("accepted", number if colour_at(number) == number else 0)


def kill_one(kind: str, expected: int, delay: float) -> tuple[list[int], list[int]]:
    """Let one viewer work and kill it; returns what it found and what it accepted."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:

        def tell(*what: object) -> None:
            os.write(writing, (json.dumps(what) + "\n").encode())

        try:
            view(kind, expected, tell)
        finally:
            os._exit(1)
    os.close(writing)
    said = b""
    while b'"accepted"' not in said and (part := os.read(reading, 4096)):
        said += part
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while part := os.read(reading, 4096):
        said += part
    os.close(reading)
    if not os.WIFSIGNALED(status):
        raise SystemExit("a viewer ended by itself: see its message above")
    there: list[int] = []
    accepted = []
    for line in said.decode().splitlines():
        kind_of, what = json.loads(line)
        if kind_of == "there":
            there = what
        else:
            accepted.append(what)
    return there, accepted


def main() -> None:
    """Kill viewers one after another; ends with 1 when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kind", choices=("memory", "disk"), default="disk")
    arguments = parser.parse_args()
    random = np.random.default_rng()
    accepted: set[int] = set()
    import napari  # once, for all viewers; no window is made here  # noqa: F401

    with tempfile.TemporaryDirectory() as sessions:
        os.environ["NAPARI_SAM_SESSIONS"] = sessions
        for _ in range(arguments.kills):
            delay = float(random.uniform(0, LONGEST))
            there, new = kill_one(arguments.kind, len(accepted), delay)
            missing = sorted(accepted - set(there))
            accepted |= set(new)
            print(  # noqa: T201
                json.dumps({"there": len(there), "missing": missing, "accepted": len(new)}),
                flush=True,
            )
            if missing or 0 in new:
                sys.exit(1)
        from napari_sam.segmentation.session.annotator import Annotator

        (journal,) = Path(sessions).glob("*/journal.jsonl")
        annotator = Annotator.reopen(journal.parent)
        missing = sorted(accepted - set(annotator.rows))
        print(json.dumps({"there": len(annotator.rows), "missing": missing}))  # noqa: T201
        annotator.close()
        sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
