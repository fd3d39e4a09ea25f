"""What hinders a download, in a few words instead of the three lines that requests says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from napari_sam.errors import DownloadError
from napari_sam.model.download import download
from napari_sam.model.registry import REGISTRY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.ReadTimeout, "no answer in time"),
        (requests.exceptions.SSLError, "its certificate is not trusted on this machine"),
        (requests.exceptions.ProxyError, "the proxy lets nothing through"),
        (requests.exceptions.InvalidURL, "what requests says"),
    ],
)
def test_the_reason_is_in_the_sentence(
    error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("what requests says")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(DownloadError, match=rf"could not be downloaded \([^)]*: {said}[;)]"):
        download(REGISTRY["mobile_sam"])
