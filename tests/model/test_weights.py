"""Checkpoint files: what is read, what is refused and why, and what we write."""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_sam.errors import CheckpointError
from napari_sam.model import weights
from napari_sam.model.recognition import assemble, recognise
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import (
    file_sha256,
    read_metadata,
    read_state_dict,
    save_safetensors,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.model.sam import Sam


@pytest.fixture(scope="module")
def sam() -> Sam:
    return build_sam("tiny", seed=3)


@pytest.fixture
def state(sam: Sam) -> dict[str, Tensor]:
    return dict(sam.state_dict())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pt"


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[key].equal(second[key]) for key in first)


# What is read


def test_what_torch_saved_is_read(state: dict[str, Tensor], path: Path) -> None:
    torch.save(state, path)
    assert same(read_state_dict(path), state)


def test_what_old_versions_of_torch_saved_is_read(state: dict[str, Tensor], path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert path.read_bytes()[:1] == b"\x80"
    assert same(read_state_dict(path), state)


def test_safetensors_are_known_by_their_content(state: dict[str, Tensor], path: Path) -> None:
    save_file(state, path)
    assert path.suffix == ".pt"
    assert same(read_state_dict(path), state)


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state", "model_state_dict"])
def test_wrappers_of_training_scripts_are_taken_off(
    key: str, state: dict[str, Tensor], path: Path
) -> None:
    torch.save({key: state, "optimizer_state": {"lr": 1e-5}, "epoch": 7}, path)
    assert same(read_state_dict(path), state)


def test_the_decoder_that_micro_sam_keeps_beside_the_model_is_left_out(
    state: dict[str, Tensor], path: Path
) -> None:
    prefixed = {f"sam.{key}": value for key, value in state.items()}
    torch.save({"model_state": prefixed, "decoder_state": {"out.bias": torch.ones(1)}}, path)
    assert same(read_state_dict(path), state)


def test_wrappers_in_wrappers_are_taken_off(state: dict[str, Tensor], path: Path) -> None:
    torch.save({"state_dict": {"model": state}}, path)
    assert same(read_state_dict(path), state)


@pytest.mark.parametrize("prefix", ["module.", "model.", "sam.", "_orig_mod.", "module.sam."])
def test_prefixes_of_wrapping_modules_are_taken_off(
    prefix: str, state: dict[str, Tensor], path: Path
) -> None:
    torch.save({prefix + key: value for key, value in state.items()}, path)
    assert same(read_state_dict(path), state)


def test_a_prefix_that_only_some_keys_have_stays(path: Path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, path)
    assert set(read_state_dict(path)) == {"module.a", "b"}


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_tensors_own_their_memory(kind: str, path: Path) -> None:
    buffer = torch.arange(6.0)
    state = {"a": buffer[:4].view(2, 2), "b": buffer[2:]}
    if kind == "torch":
        torch.save(state, path)
    else:
        save_file({key: value.clone() for key, value in state.items()}, path)
    read = read_state_dict(path)
    read["a"].zero_()
    assert read["b"].tolist() == [2, 3, 4, 5]
    path.write_bytes(b"")  # a view of the file would now end the process
    assert read["b"].tolist() == [2, 3, 4, 5]


# What is refused


class Bomb:
    """What a malicious pickle does: it creates a file when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("kind", ["pickle", "old pickle", "zip", "legacy", "beside the weights"])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(
    kind: str, state: dict[str, Tensor], path: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    if "pickle" in kind:
        path.write_bytes(pickle.dumps(Bomb(trace), protocol=2 if "old" in kind else 5))
    elif kind == "beside the weights":
        torch.save({"model_state": state, "extra": Bomb(trace)}, path)
    else:
        torch.save(Bomb(trace), path, _use_new_zipfile_serialization=kind == "zip")

    with pytest.raises(CheckpointError, match=r"would run code \(`\w+\.mkdir`\)"):
        read_state_dict(path)
    assert not trace.exists()

    # The test means something: read carelessly, the same file does run its code.
    if "pickle" in kind:
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert trace.exists()


def test_the_switch_that_makes_torch_careless_changes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save(Bomb(tmp_path / "trace"), path)
    with pytest.raises(CheckpointError, match="would run code"):
        read_state_dict(path)
    assert not (tmp_path / "trace").exists()


def test_a_pickled_model_is_refused(path: Path) -> None:
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"`torch\.nn\.modules\.linear\.Linear`.*state dict"):
        read_state_dict(path)


def test_a_torchscript_program_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/constants.pkl", b"")
        archive.writestr("weights/data.pkl", b"")
    with pytest.raises(CheckpointError, match="TorchScript program, which holds code"):
        read_state_dict(path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "safetensors header"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_half_a_file_is_refused(
    kind: str, kept: float, state: dict[str, Tensor], path: Path
) -> None:
    if kind.startswith("safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    whole = int.from_bytes(content[:8], "little") if kind.endswith("header") else len(content)
    path.write_bytes(content[: int(kept * whole)])
    with pytest.raises(CheckpointError, match=r"is cut off|torch cannot read it"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"<!DOCTYPE html><html>not found</html>", "is a web page, not a checkpoint"),
        (b"\n <HTML><body>502 Bad Gateway</body>", "is a web page, not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer.*git lfs"),
        (b"a note that somebody named like a checkpoint", "neither a safetensors file nor"),
        (b"\x80\x04no pickle at all", "is a damaged pickle"),
        (b"\x02\0\0\0\0\0\0\0{!", "do not match its safetensors header"),
        (pickle.dumps([1, 2, 3], protocol=2), "is a damaged pickle|torch cannot read it"),
    ],
)
def test_what_is_no_checkpoint_is_named(content: bytes, said: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said) as refusal:
        read_state_dict(path)
    assert str(path) in str(refusal.value)


def test_a_zip_of_something_else_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(CheckpointError, match="torch cannot read it"):
        read_state_dict(path)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        read_state_dict(tmp_path)
    with pytest.raises(CheckpointError, match="There is no file"):
        read_state_dict(tmp_path / "nothing.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.ones(3), "holds a Tensor, not a state dict"),
        ([torch.ones(3)], "holds a list, not a state dict"),
        ({"epoch": 3, "lr": 0.1}, "holds no weights but 'epoch', 'lr'"),
        ({"model": {}}, "holds no weights but nothing"),
    ],
)
def test_a_file_without_a_state_dict_is_refused(content: object, said: str, path: Path) -> None:
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=said):
        read_state_dict(path)


# What we write


def test_what_is_saved_comes_back_the_same(sam: Sam, path: Path) -> None:
    save_safetensors(sam, path)
    state = read_state_dict(path)
    assert same(state, dict(sam.state_dict()))
    assert assemble(state, recognise(state)).config == sam.config


def test_a_saved_file_says_what_it_is(sam: Sam, path: Path) -> None:
    save_safetensors(sam, path, {"trained_on": "made-up cells", "variant": "not this"})
    told = read_metadata(path)
    assert told["variant"] == "tiny"
    assert told["name"] == sam.name
    assert told["trained_on"] == "made-up cells"


def test_other_checkpoints_say_nothing(state: dict[str, Tensor], path: Path) -> None:
    torch.save(state, path)
    assert read_metadata(path) == {}


def test_a_failed_save_leaves_the_old_file(
    sam: Sam, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(tensors: dict[str, Tensor], file: Path, metadata: dict[str, str]) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("no space left on device")

    path.write_bytes(b"the old file")
    monkeypatch.setattr(weights, "save_file", break_off)
    with pytest.raises(OSError, match="no space left"):
        save_safetensors(sam, path)
    assert path.read_bytes() == b"the old file"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_saved_file_has_the_permissions_of_any_other(sam: Sam, path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    save_safetensors(sam, path)
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="Windows does not replace an open file")
def test_a_saved_file_replaces_an_old_one_in_one_step(sam: Sam, path: Path) -> None:
    path.write_bytes(b"the old file")
    with path.open("rb") as reader:
        save_safetensors(sam, path)
        assert reader.read() == b"the old file"
    assert same(read_state_dict(path), dict(sam.state_dict()))
    assert list(path.parent.iterdir()) == [path]


def test_a_saved_file_is_on_the_disk_before_it_gets_its_name(
    sam: Sam, path: Path, disk_events: list[str]
) -> None:
    save_safetensors(sam, path)
    assert disk_events == ["sync", f"name {path.name}"]


def test_a_hash_follows_the_files_content(path: Path) -> None:
    path.write_bytes(b"first")
    assert file_sha256(path) == hashlib.sha256(b"first").hexdigest()
    path.write_bytes(b"other")
    os.utime(path, ns=(1, 1))  # of the same size: only the time tells
    assert file_sha256(path) == hashlib.sha256(b"other").hexdigest()
