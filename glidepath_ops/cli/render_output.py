"""Prints the output of ``glidepath render``, writes it to files, or inserts it into an existing bootstrap."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath_ops.cli.output_files import STANDARD_OUTPUT, check_in_place, is_special, is_standard_output, write_output
from glidepath_ops.envoyconfig.check_by_envoy import check_change_with_envoy, installed_envoy
from glidepath_ops.envoyconfig.insert_into_bootstrap import InsertionPoint, insert_glidepath
from glidepath_ops.envoyconfig.mesh.resource_yaml_files import RESOURCES
from glidepath_ops.envoyconfig.yaml_insertion import remove


def print_or_write(text: str, output: Path | None) -> None:
    """Print ``text``, or write it to the file ``output``. Raises InputError if this fails."""
    write_output(output or STANDARD_OUTPUT, text)
    if output is not None and not is_standard_output(output):
        typer.echo(f"wrote {output}", err=True)


def print_or_write_files(files: Mapping[str, str], output: Path | None) -> None:
    """Write all files to the folder ``output``.

    If ``output`` is not a folder, write only the file for ``kubectl apply -f``.

    ``output`` is a folder unless it is None (standard output), ends in .yaml or .yml, or is standard output, a device
    or a FIFO. Raises InputError if a file cannot be written.
    """
    if output is not None and output.suffix not in (".yaml", ".yml") and not is_special(output):
        _make_folder(output)
        for name, text in files.items():
            print_or_write(text, output / name)
        return
    print_or_write(files[RESOURCES], output)
    for name in files:
        if name != RESOURCES:
            typer.echo(f"not shown: {name}, which the pods need too; -o FOLDER writes all files", err=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "is a file; give a folder, or a file that ends in .yaml" if folder.is_file() else error.strerror
        raise InputError(f"{folder}: cannot be written: {why}") from error


def insert_into_file(source: Path, output: Path, *, config: Path | None, place: InsertionPoint, dry_run: bool) -> None:
    """Insert Glidepath into the bootstrap ``source``, show the diff, and write ``output`` unless ``dry_run``.

    ``config`` is the path of glidepath.yaml; None removes Glidepath from the bootstrap. Raises ConfigError if
    glidepath.yaml is not valid, and InputError if Glidepath cannot be inserted or a file cannot be read or written.
    """
    in_place = output == source
    if in_place:
        check_in_place(source)
    before = read_text(source)
    if config is None:
        after, checked = remove(before), "as it was"
    else:
        after = insert_glidepath(before, load_config(config), str(source), place)
        checked = check_change_with_envoy(remove(before), after, str(source), installed_envoy())
    typer.echo(_diff(before, after, source, output), nl=False, err=is_standard_output(output))
    if dry_run:
        return
    write_output(output, after)
    done = "nothing to change in" if in_place and after == before else "wrote"
    typer.echo(f"{done} {output}: {checked}", err=True)


def change_file(path: Path, after: str, *, dry_run: bool) -> None:
    """Show the changes of the user's file ``path`` on stderr, and write ``after`` to it unless ``dry_run``.

    Raises InputError if the file cannot be read or written.
    """
    before = read_text(path)
    typer.echo(_diff(before, after, path, path), nl=False, err=True)
    if not dry_run:
        write_output(path, after)
        typer.echo(f"{'nothing to change in' if after == before else 'wrote'} {path}", err=True)


def text_without_glidepath(path: Path) -> str:
    """Return the text of the user's file without the parts that earlier runs added.

    Raises InputError if the file cannot be read. It must be a regular file, because it will be changed in place.
    """
    check_in_place(path)
    return remove(read_text(path))


def restore_files(paths: Sequence[Path], *, dry_run: bool) -> None:
    """Remove Glidepath from the user's files. Raises InputError, for example if no files are given."""
    if not paths:
        raise InputError("render: --remove needs --into FILE or --into-proxy FILE")
    for path in paths:
        change_file(path, text_without_glidepath(path), dry_run=dry_run)


def _diff(before: str, after: str, source: Path, output: Path) -> str:
    diff = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(source), str(output)
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in diff)


def read_text(source: Path) -> str:
    """Return the text of the user's YAML file ``source``. Raises InputError if it cannot be read."""
    if source.suffix == ".json":
        raise InputError(
            f"{source}: Envoy reads no comments in a .json file, and comments mark the inserted lines; rename it to "
            ".yaml, because Envoy reads JSON there, too"
        )
    try:
        return source.read_bytes().decode()
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is not UTF-8 text (byte {error.start})") from error
