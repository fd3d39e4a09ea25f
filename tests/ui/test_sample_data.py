from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Layer

from napari_sam.ui.sample_data import synthetic_slide


def test_the_synthetic_slide_opens_as_one_multiscale_image_with_something_to_see() -> None:
    viewer = ViewerModel()
    for data in synthetic_slide():
        viewer.add_layer(Layer.create(*data))
    (layer,) = viewer.layers
    assert layer.multiscale
    assert layer.level_shapes[0].tolist() == [100_000, 100_000]
    low, high = layer.contrast_limits
    middle = layer.data[0][49_800:50_200, 49_800:50_200]
    assert (middle > (low + high) / 2).any()
