"""The picture the demo draws."""

from __future__ import annotations

import numpy as np

from napari_sam.cli.overlay import COLOURS, HEIGHT, MARGIN, TITLE, Drawing, Panel, draw


def colour_share(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    """Share of pixels that are nearly a colour."""
    near = np.abs(picture.astype(int) - colour).max(axis=-1) <= 8
    return float(near.mean())


def square(top: int, left: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((80, 100), bool)
    mask[top : top + side, left : left + side] = True
    return mask


GREY = np.full((80, 100), 128, np.uint8)


def test_every_drawing_has_its_own_colour() -> None:
    panels = [
        Panel("left", GREY, [Drawing(square(10, 10), "one"), Drawing(square(40, 50), "two")]),
        Panel("right", GREY, [Drawing(square(30, 30), "three")]),
    ]
    picture = np.asarray(draw(panels))
    assert all(colour_share(picture, colour) > 1e-4 for colour in COLOURS[:3])
    assert colour_share(picture, COLOURS[3]) == 0


def test_an_outline_lies_on_the_edge_of_its_mask() -> None:
    mask = square(20, 40)
    picture = np.asarray(draw([Panel("p", GREY, [Drawing(mask, "")])])).astype(int)
    scale = HEIGHT / 80
    image = picture[MARGIN + TITLE : MARGIN + TITLE + HEIGHT, MARGIN:]
    near = np.abs(image - COLOURS[0]).max(axis=-1) <= 8
    rows, columns = np.nonzero(near[:HEIGHT, : round(100 * scale)])
    edges = np.array([20, 40, 40, 60]) * scale
    measured = [rows.min(), rows.max(), columns.min(), columns.max()]
    np.testing.assert_allclose(measured, edges, atol=4)


def test_the_cross_is_where_the_click_was() -> None:
    panel = Panel("p", GREY, [Drawing(np.zeros((80, 100), bool), "", points=[(20, 70)])])
    picture = np.asarray(draw([panel])).astype(int)
    image = picture[MARGIN + TITLE : MARGIN + TITLE + HEIGHT, MARGIN:]
    rows, columns = np.nonzero(image.min(axis=-1) > 240)
    centre = np.array([rows.mean(), columns.mean()]) / (HEIGHT / 80) - 0.5
    np.testing.assert_allclose(centre, (20, 70), atol=0.3)


def test_colour_images_and_empty_panels_can_be_drawn() -> None:
    colour = np.zeros((30, 20, 3), np.uint8)
    colour[..., 0] = 255
    picture = np.asarray(draw([Panel("red", colour)]))
    assert colour_share(picture, (255, 0, 0)) > 0.3
