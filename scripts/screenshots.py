"""Make the pictures of docs/: python scripts/screenshots.py [MODEL] [FOLDER].

Opens napari on a virtual screen (needs Xvfb, see scripts/install_display.sh), does what a user
does - a click, candidates, objects, an automatic run, a review - and takes a picture of the window
in two sizes after every step, and one of each tab of the panel. The model is a name or a
checkpoint's path, the folder docs/pictures when none is given.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_sam.ui.widget import SamWidget

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"

SIZES = ((1600, 1000), (1280, 800))
SCREEN = "1600x1200x24"

COLOURS = 256
"""Colours of a picture: it looks the same and takes a third of the room."""

ROOM = 1_500_000
"""Bytes that all pictures may take together."""

WAIT = 900.0
"""Seconds after which a step that does not end is a mistake."""

CLICKS = ((120, 271), (54, 44), (51, 215), (196, 103))
"""Coins to click on, as (y, x)."""


def main(arguments: list[str]) -> int:
    """Make all pictures; 0 when they are there and small enough."""
    if "DISPLAY" not in os.environ and sys.platform == "linux":
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {SCREEN}", sys.executable]
        os.execvp(screen[0], [*screen, __file__, *arguments])
    model = arguments[0] if arguments else None
    folder = Path(arguments[1]) if len(arguments) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    use_nothing_of_the_user()
    Pictures(folder, model).make()
    taken = {path.name: path.stat().st_size for path in sorted(folder.glob("*.png"))}
    for name, size in taken.items():
        print(f"{size:>9,} {name}")
    print(f"{sum(taken.values()):>9,} in all")
    return int(sum(taken.values()) > ROOM)


def use_nothing_of_the_user() -> None:
    """Keep settings and sessions of the user out of the pictures, and ours out of theirs."""
    import tempfile

    place = tempfile.mkdtemp(prefix="napari-sam-pictures-")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        os.environ[name] = place


class Pictures:
    """One window, led through the main job.

    Parameters
    ----------
    folder : Path
        Where pictures go.
    model : str or None
        Name or path; None for the usual one.
    """

    def __init__(self, folder: Path, model: str | None) -> None:
        import napari
        from skimage.data import coins

        from napari_sam.ui.commands import show_panel
        from napari_sam.ui.open_panels import panel_of

        self.folder = folder
        self.viewer: napari.Viewer = napari.Viewer(title="napari")
        self.viewer.add_image(coins(), name="coins")
        show_panel(self.viewer)
        panel = panel_of(self.viewer)
        assert panel is not None
        self.panel: SamWidget = panel
        self.session: Any = panel.session
        if model is not None:
            self.session.use_model(Path(model) if Path(model).exists() else model)

    def make(self) -> None:
        """Go through the job and take all pictures."""
        session = self.session
        self.resize(*SIZES[0])
        session.draw_points()
        self.click(*CLICKS[0])
        self.take("click", 0, self.viewer.reset_view)
        session.choose(0)
        session.accept()
        for place in CLICKS[1:]:
            self.click(*place)
            session.accept()
        self.idle()
        self.take("accepted", 0, self.viewer.reset_view)
        self.find()
        self.take("everything", 1, self.viewer.reset_view)
        session.automatic.keep()
        self.wait(lambda: session.automatic.state == "idle", "keeping")
        self.panel.tabs.setCurrentIndex(2)
        self.wait(lambda: not session.review.working, "reading the objects")
        session.review.coloured = True
        session.review.next()
        session.review.accept()
        session.review.accept()
        self.take("review", 2, session.review.show_current)
        self.take("model", 3, self.viewer.reset_view)
        for tab, name in enumerate(("click", "everything", "review", "model")):
            self.take_panel(name, tab)
        self.viewer.close()

    def click(self, y: float, x: float) -> None:
        """Click on the image and wait for the candidates."""
        self.session.prompts.points.add((y, x))
        self.wait(lambda: not self.session.busy, "the answer to a click")

    def find(self) -> None:
        """Find everything in the whole plane."""
        automatic = self.session.automatic
        self.panel.tabs.setCurrentIndex(1)
        automatic.use_region("plane")
        automatic.find()
        self.wait(lambda: automatic.state == "idle", "finding everything")

    def take(self, name: str, tab: int, aim: Callable[[], None]) -> None:
        """Take a picture of the window in each size, with a tab and something else in view."""
        self.panel.tabs.setCurrentIndex(tab)
        for width, height in SIZES:
            self.resize(width, height)
            aim()
            self.idle(2.0)  # what is drawn in the background follows the view
            picture = self.viewer.screenshot(canvas_only=False, flash=False)
            save(picture, self.folder / f"{name}-{width}x{height}.png")
        self.resize(*SIZES[0])

    def take_panel(self, name: str, tab: int) -> None:
        """Take a picture of the panel alone, as high as the larger window has it."""
        from napari._qt.utils import QImg2array

        self.panel.tabs.setCurrentIndex(tab)
        self.idle()
        save(QImg2array(self.panel.grab().toImage()), self.folder / f"panel-{name}.png")

    def resize(self, width: int, height: int) -> None:
        """Give the window a size."""
        self.viewer.window._qt_window.resize(width, height)
        self.idle()

    def idle(self, seconds: float = 0.5) -> None:
        """Let the window do what it has to for a while."""
        until = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > until, "a moment")

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Let the window work until something is done.

        Raises
        ------
        TimeoutError
            When that takes longer than `WAIT`.
        """
        from qtpy.QtWidgets import QApplication

        until = time.monotonic() + WAIT
        while not done():
            QApplication.processEvents()
            time.sleep(0.005)
            if time.monotonic() > until:
                raise TimeoutError(f"{what} took longer than {WAIT:.0f} s")


def save(picture: Any, path: Path) -> None:
    """Write a picture with few colours."""
    from PIL import Image

    few = Image.fromarray(picture[..., :3].copy()).quantize(
        COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
