"""Look into the wheel and the sdist of a folder, install the wheel, and try what it holds.

python scripts/check_distribution.py dist

The wheel is installed into a new environment that sees the packages of the running one, which are
large, but not the running one's own napari_sam.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

LARGEST_FILE = 200_000
"""Bytes of any file but weights."""

LARGEST_WHEEL = 100_000_000
"""Bytes that the package index takes without being asked."""

WEIGHTS = PurePosixPath("napari_sam/weights")

SUFFIXES = {".py", ".yaml", ".typed"}
"""Of the package's files outside of the weights."""

NEEDED = {"napari_sam/napari.yaml", "napari_sam/py.typed", "napari_sam/__init__.py"}


def main(folder: Path) -> None:
    """Check the one wheel and the one sdist of a folder; the first problem ends the program."""
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    weights = check_wheel(wheel)
    check_sdist(sdist)
    with tempfile.TemporaryDirectory() as temporary:
        try_wheel(wheel, Path(temporary), has_weights=bool(weights))
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, weights: {', '.join(weights) or 'none'}")


def check_wheel(wheel: Path) -> list[str]:
    """Check what the wheel holds, and name the weights in it."""
    require(wheel.stat().st_size < LARGEST_WHEEL, f"{wheel} is too large for the package index")
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    require(sizes.keys() >= NEEDED, f"missing in the wheel: {NEEDED - sizes.keys()}")
    weights = []
    for name, size in sizes.items():
        path = PurePosixPath(name)
        if path.parts[0].endswith(".dist-info"):
            continue
        require(path.parts[0] == "napari_sam", f"{name} does not belong into the wheel")
        if path.is_relative_to(WEIGHTS) and path.suffix == ".safetensors":
            weights.append(path.name)
            continue
        text = path.is_relative_to(WEIGHTS) and path.suffix == ".md"
        require(path.suffix in SUFFIXES or text, f"{name} is of a kind that was not expected")
        require(size < LARGEST_FILE, f"{name} is too large: {size:,} bytes")
    here = Path(__file__).resolve().parents[1] / "src" / WEIGHTS
    there = sorted(path.name for path in here.glob("*.safetensors"))
    require(sorted(weights) == there, f"weights in the wheel: {weights}, in the sources: {there}")
    return weights


def check_sdist(sdist: Path) -> None:
    """Check that the sdist holds the sources and nothing large or linked."""
    with tarfile.open(sdist) as archive:
        members = {m.name.partition("/")[2]: m for m in archive.getmembers()}
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"):
        require(name in members, f"{name} is missing in the sdist")
    for name, member in members.items():
        require(member.isfile() or member.isdir(), f"{name} in the sdist is no plain file")
        free = str(WEIGHTS) in name or name.startswith("docs/pictures/")
        require(free or member.size < LARGEST_FILE, f"{name} in the sdist: {member.size:,} bytes")


def try_wheel(wheel: Path, folder: Path, *, has_weights: bool) -> None:
    """Install the wheel into a new environment and use it from an empty folder."""
    environment, home = folder / "environment", folder / "home"
    home.mkdir()
    venv.create(environment, with_pip=False)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel.resolve()])
    base = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=base))
    # Behind the environment's own packages, so that the wheel is found first.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    empty = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home)}
    empty.pop("PYTHONPATH", None)
    where = "import napari_sam; print(napari_sam.__file__)"
    found = run([python, "-c", where], cwd=home, env=empty)
    require(Path(found.strip()).is_relative_to(packages), f"imported from {found}")
    program = scripts / "napari-sam"
    for arguments in (["--version"], ["info"], ["models", "list"]):
        run([program, *arguments], cwd=home, env=empty)
    run([python, "-m", "npe2", "validate", "napari-sam-tiles"], cwd=home, env=empty)
    if has_weights:
        run([program, "demo", "--no-show", "-o", "demo"], cwd=home, env=empty)
        require((home / "demo" / "overlay.png").is_file(), "the demo wrote no picture")


def run(command: list[str | Path], **options: object) -> str:
    """Run a command and return its output; what it said is shown when it fails."""
    ended = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    line = " ".join(map(str, command))
    require(ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def require(holds: bool, problem: str) -> None:
    """End the program when something does not hold."""
    if not holds:
        sys.exit(f"check_distribution: {problem}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
