"""`napari-sam replay`: what it writes and what it refuses."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sam.segmentation.automatic import output as segment_output
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    import numpy.typing as npt
    from conftest import Run

SESSIONS = Path(__file__).parents[1] / "segmentation" / "session"
KNOWN = runpy.run_path(str(SESSIONS / "known_session.py"))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture
def labels(journal: Path) -> npt.NDArray[Any]:
    """Return the labels of a session that is still open."""
    annotator = KNOWN["begin"](journal)
    for seed in (1, 2, 3, 4):
        assert KNOWN["accept_next"](annotator, seed)
    list(annotator.add_run(KNOWN["records"]([7, 8], [()])))
    annotator.undo()
    annotator.delete([2])
    return np.asarray(annotator.labels)


def test_the_labels_of_a_session_become_a_tiff(
    run: Run, journal: Path, labels: npt.NDArray[Any], tmp_path: Path
) -> None:
    result = run("replay", journal, "-o", tmp_path / "labels.tif")
    assert result.exit_code == 0
    assert "3 objects after 5 steps" in result.stdout
    written = tifffile.imread(tmp_path / "labels.tif")
    np.testing.assert_array_equal(written, labels)
    assert set(np.unique(written)) == {0, 1, 3, 4}


def test_they_become_ome_zarr_that_is_not_overwritten(
    run: Run, journal: Path, labels: npt.NDArray[Any], tmp_path: Path
) -> None:
    result = run("replay", journal, "-o", tmp_path / "labels.zarr", "--json")
    said = json.loads(result.stdout)
    assert said == {"labels": str(tmp_path / "labels.zarr"), "objects": 3, "steps": 5}
    pyramid = LabelPyramid.open(tmp_path / "labels.zarr")
    np.testing.assert_array_equal(np.asarray(pyramid.levels[0]), labels)
    again = run("replay", journal, "-o", tmp_path / "labels.zarr")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_labels_too_large_for_memory_become_a_tiff_all_the_same(
    run: Run,
    journal: Path,
    labels: npt.NDArray[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_output, "LONGEST_SIDE", 50)
    assert run("replay", journal, "-o", tmp_path / "labels.tif").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels.tif"), labels)
    assert {path.name for path in tmp_path.iterdir()} == {"session", "labels.tif"}


@pytest.mark.parametrize(
    ("output", "said"),
    [("labels.jpg", "says no format"), ("nowhere/labels.tif", "does not exist")],
)
def test_an_output_that_cannot_be_is_refused(
    run: Run, journal: Path, labels: npt.NDArray[Any], tmp_path: Path, output: str, said: str
) -> None:
    result = run("replay", journal, "-o", tmp_path / output)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_without_a_session_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("replay", tmp_path, "-o", tmp_path / "labels.tif")
    assert result.exit_code == 2
    assert "there is no session in" in result.stderr
    assert list(tmp_path.iterdir()) == []
