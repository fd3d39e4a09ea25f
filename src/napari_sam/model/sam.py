"""The whole model: image encoder, prompt encoder and mask decoder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.errors import InputError
from napari_sam.model.config import VARIANTS, PromptKind, SamConfig, ViTConfig
from napari_sam.model.mask_decoder import MaskDecoder, Outputs
from napari_sam.model.precision import Precision, resolve_precision
from napari_sam.model.prompt_encoder import PromptEncoder, PromptTensors
from napari_sam.model.tile_decoder import TileDecoder
from napari_sam.model.tile_encoder import TileEncoder
from napari_sam.model.tiny_vit import TinyViTEncoder
from napari_sam.model.vit import ViTEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Sam", "build_sam"]


class Sam(nn.Module):
    """Segment Anything (Kirillov et al. 2023).

    Its state dict has the keys of the official checkpoints and holds nothing else, so it can also
    be built on the meta device and filled with ``load_state_dict(state, assign=True)``.
    Gradients flow through `encode` and `decode`: wrap calls in ``torch.inference_mode()`` when
    they are not wanted.

    Parameters
    ----------
    config : SamConfig
        Sizes and input normalisation.

    Attributes
    ----------
    config : SamConfig
        As given.
    name : str
        What the weights are called; the variant's name until a checkpoint is loaded.
    precision : {"auto", "float32", "bfloat16"}
        Of `tile_encoder` and `tile_decoder`, which is to say of all inference.
    single_for_click : bool
        Whether the single mask (token 0) has learnt to answer one click as well. The published
        models were trained with it for all other prompts only (SAM paper, appendix A).
    seconds_per_tile : float or None
        How long the last tile took to encode; None before the first.
    """

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.config = config
        self.name = config.variant
        self.precision: Precision = "auto"
        self.single_for_click = False
        self.seconds_per_tile: float | None = None
        self._sha256: str | None = None
        self._tile_encoder: tuple[tuple[object, ...], TileEncoder] | None = None
        self.image_encoder: ViTEncoder | TinyViTEncoder = (
            ViTEncoder(config.encoder)
            if isinstance(config.encoder, ViTConfig)
            else TinyViTEncoder(config.encoder)
        )
        self.prompt_encoder = PromptEncoder(config)
        self.mask_decoder = MaskDecoder(config.channels, config.decoder)
        self.register_load_state_dict_post_hook(_forget_identity)  # type: ignore[no-untyped-call]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.prompt_encoder.no_mask_embed.weight.device

    @property
    def sha256(self) -> str:
        """Identity of the weights: of the file they came from, otherwise of the state dict.

        Measured once. Loading a state dict forgets it; whoever changes weights in place (training)
        sets it to None.
        """
        if self._sha256 is None:
            self._sha256 = _hash_state(self.state_dict())
        return self._sha256

    @sha256.setter
    def sha256(self, value: str | None) -> None:
        self._sha256 = value

    def preprocess(self, images: Tensor) -> Tensor:
        """Normalise images and pad them with zeros on the right and at the bottom.

        Parameters
        ----------
        images : Tensor
            RGB on 0..255, uint8 or float, (B, 3, h, w) with h and w at most the image size.

        Returns
        -------
        Tensor
            What `encode` takes, (B, 3, S, S) on the model's device.

        Raises
        ------
        InputError
            When the shape does not fit.
        """
        size = self.config.image_size
        fits = images.ndim == 4 and images.shape[1] == 3
        if not (fits and all(0 < side <= size for side in images.shape[2:])):
            raise InputError(
                f"images have shape {tuple(images.shape)}; expected (B, 3, h, w) with h and w from "
                f"1 to {size}."
            )
        height, width = images.shape[2:]
        return F.pad(self.normalise(images), (0, size - width, 0, size - height))

    def normalise(self, images: Tensor) -> Tensor:
        """Bring RGB on 0..255, (B, 3, h, w), to what the encoder was trained on, on its device."""
        like = self.prompt_encoder.no_mask_embed.weight
        mean = torch.tensor(self.config.pixel_mean).to(like)[:, None, None]
        std = torch.tensor(self.config.pixel_std).to(like)[:, None, None]
        return (images.to(like) - mean) / std

    def encode(self, images: Tensor) -> Tensor:
        """Encode preprocessed images (B, 3, S, S) to embeddings (B, C, G, G)."""
        embedding: Tensor = self.image_encoder(images)
        return embedding.contiguous()

    def decode(
        self, embedding: Tensor, prompts: PromptTensors, multimask: Outputs
    ) -> tuple[Tensor, Tensor]:
        """Predict the masks of P prompts on one image.

        Parameters
        ----------
        embedding : Tensor
            Of one image, (C, G, G) or (1, C, G, G); any device and float type.
        prompts : PromptTensors
            In model coordinates; any device.
        multimask : bool or "every"
            Three masks for an ambiguous prompt instead of one, or all, the single one first.

        Returns
        -------
        mask_logits : Tensor
            (P, n, M, M), n = 3 or 1; above 0 is object.
        iou : Tensor
            Predicted IoU of each mask with the object, (P, n).

        Raises
        ------
        InputError
            When the model was not trained for such prompts, or shapes do not fit.
        """
        grid = self.config.grid_size
        expected = (self.config.channels, grid, grid)
        if tuple(embedding.shape) not in {expected, (1, *expected)}:
            raise InputError(
                f"The embedding has shape {tuple(embedding.shape)}; {self.name} expects {expected}."
            )
        return self.decode_part(embedding, prompts, multimask)

    def decode_part(
        self,
        embedding: Tensor,
        prompts: PromptTensors,
        multimask: Outputs,
        corner: tuple[int, int] = (0, 0),
    ) -> tuple[Tensor, Tensor]:
        """Predict masks within a part of a tile, such as the crop that a training step looks at.

        Parameters
        ----------
        embedding : Tensor
            Of the part, (C, H, W) or (1, C, H, W), H and W at most G cells.
        prompts : PromptTensors
            In model coordinates of the whole tile; a mask spans the part alone, (P, 1, 4H, 4W).
        multimask : bool or "every"
            As in `decode`.
        corner : (int, int)
            Row and column of the part's first cell in the tile.

        Returns
        -------
        mask_logits, iou : Tensor
            As in `decode`, (P, n, 4H, 4W) and (P, n).

        Raises
        ------
        InputError
            When the model was not trained for such prompts, or a mask does not fit.
        """
        self.check_kinds(prompts)
        if embedding.ndim == 3:
            embedding = embedding[None]
        # One memory layout, so that an embedding that was stored gives bit-equal answers.
        embedding = embedding.to(self.prompt_encoder.no_mask_embed.weight).contiguous()
        rows, columns = embedding.shape[2:]
        sparse, dense = self.prompt_encoder(prompts.to(self.device), (rows, columns))
        positions = self.prompt_encoder.dense_positions()
        positions = positions[..., corner[0] : corner[0] + rows, corner[1] : corner[1] + columns]
        mask_logits, iou = self.mask_decoder(embedding, positions, sparse, dense, multimask)
        return mask_logits, iou

    def tile_encoder(self) -> TileEncoder:
        """Give the fast encoder, with the weights, on the device and in the precision of now.

        It is made when something of that has changed, and otherwise kept.
        """
        dtype = resolve_precision(self.precision, self.device)
        now = (dtype, self.device, *_versions(self.image_encoder))
        if self._tile_encoder is None or self._tile_encoder[0] != now:
            self._tile_encoder = now, TileEncoder(self, dtype)
        return self._tile_encoder[1]

    def tile_decoder(self) -> TileDecoder:
        """Make the fast decoder for many prompts on one tile, likewise."""
        return TileDecoder(self, resolve_precision(self.precision, self.device))

    def check_kinds(self, prompts: PromptTensors) -> None:
        """Refuse kinds of prompt that the weights were not trained for, with an InputError."""
        given: dict[PromptKind, Tensor | None] = {
            "point": prompts.points,
            "box": prompts.boxes,
            "mask": prompts.masks,
        }
        for kind, part in given.items():
            if part is not None and kind not in self.config.prompts:
                known = " and ".join(sorted(self.config.prompts))
                raise InputError(
                    f"{self.name} was not trained for {kind} prompts; use {known} prompts or "
                    "another model."
                )


def build_sam(config: SamConfig | str, seed: int | None = None) -> Sam:
    """Make a model with random weights, in evaluation mode on the CPU.

    Parameters
    ----------
    config : SamConfig or str
        The architecture, or its name in `VARIANTS`.
    seed : int, optional
        Makes the weights reproducible, and leaves torch's global random state untouched.

    Returns
    -------
    Sam
        The model.

    Raises
    ------
    InputError
        When there is no variant of that name.
    """
    if isinstance(config, str):
        if config not in VARIANTS:
            raise InputError(f"There is no variant {config!r}; choose from {', '.join(VARIANTS)}.")
        config = VARIANTS[config]
    if seed is None:
        return Sam(config).eval()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Sam(config).eval()


def _versions(module: nn.Module) -> Iterator[tuple[int, int]]:
    """Tell weights apart from themselves before they were replaced or changed in place."""
    for tensor in (*module.parameters(), *module.buffers()):
        yield tensor.data_ptr(), tensor._version


def _hash_state(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _forget_identity(sam: Sam, _incompatible: Any) -> None:
    sam.sha256 = None
