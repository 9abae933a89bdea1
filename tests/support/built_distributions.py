"""The wheel and the source distribution, built from a copy of this tree, and a fresh environment with the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("extproc", "glidepath", "glidepath_ops", "scorer")


def tracked_files() -> list[str]:
    """Return the files of the tree that git tracks, or that are new and not ignored.

    Without git, as in an unpacked source distribution, return all files.
    """
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = (
            subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout.decode().split("\0")
        )
        return sorted(name for name in listed if name and (ROOT / name).is_file())
    files = (path for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(str(path.relative_to(ROOT)) for path in files)


@dataclass(frozen=True, slots=True)
class Distributions:
    """The built distributions: ``wheel`` from the tree, and ``wheel_of_sdist`` from the unpacked ``sdist``."""

    sdist: Path
    wheel: Path
    wheel_of_sdist: Path


def build(folder: Path) -> Distributions:
    """Build all distributions in ``folder``. The build uses the installed setuptools, so it needs no network."""
    tree = folder / "tree"
    for name in tracked_files():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    _build(tree, folder / "sdist", "--sdist")
    _build(tree, folder / "wheel", "--wheel")
    (sdist,) = (folder / "sdist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    _build(unpacked, folder / "wheel-of-sdist", "--wheel")
    (wheel,), (again,) = ((folder / name).glob("*.whl") for name in ("wheel", "wheel-of-sdist"))
    return Distributions(sdist, wheel, again)


def _build(tree: Path, out: Path, kind: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=_without_checkout(), cwd=out.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def members(wheel: Path) -> dict[str, bytes]:
    """Return the files of the wheel, without the list of their hashes, whose order is arbitrary."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith(("/", "/RECORD"))]
        return {name: archive.read(name) for name in names}


def sdist_names(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with the wheel. The dependencies come from the environment that runs the tests."""

    python: Path

    @property
    def command(self) -> str:
        return str(self.python.with_name("glidepath"))

    def run(self, folder: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run ``glidepath`` in ``folder``, which is outside of the checkout."""
        command = [self.command, *arguments]
        env = _without_checkout()
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout)


def install(wheel: Path, folder: Path) -> Environment:
    """Install the wheel into a fresh environment in ``folder``, without any file of the checkout.

    A path file makes the installed dependencies importable. It does not make the editable install of the checkout
    importable, because Python reads no path files in a folder that a path file names.
    """
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run([*command, "--disable-pip-version-check"], check=True, timeout=300, env=_without_checkout())
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    paths = dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
    (site / "dependencies.pth").write_text("\n".join(paths) + "\n")
    return Environment(python)


def _without_checkout() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
