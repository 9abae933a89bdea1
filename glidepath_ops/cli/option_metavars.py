"""The word that --help shows for the value of an option: none for a switch, TEXT, NUMBER or PATH for others.

Typer shows the Python type instead, such as ``<bool>`` or ``<list[str]>``. Versions of Typer without the method
``display_type`` show such words themselves.
"""

from __future__ import annotations

from typing import Any

_WORDS = {"bool": "", "str": "TEXT", "int": "NUMBER", "float": "NUMBER", "path": "PATH", "file": "PATH"}


def show_words(command: Any, parent: Any = None) -> None:
    """Change the help of a command and of its subcommands so that it shows words instead of Python types."""
    context = command.context_class(command, info_name=command.name, parent=parent, **command.context_settings)
    for parameter in command.get_params(context):  # includes --help
        if hasattr(parameter, "display_type"):
            word = _word(parameter.display_type(context))
            parameter.display_type = lambda ctx, shown=word: shown
    for subcommand in getattr(command, "commands", {}).values():
        show_words(subcommand, context)


def _word(shown: str) -> str:
    """Return the word for a type as Typer shows it. Choices, such as ``<baseline|candidate>``, stay as they are."""
    name = shown.strip("<>").removesuffix(" range").removeprefix("list[").removesuffix("]")
    return _WORDS.get(name, shown)
