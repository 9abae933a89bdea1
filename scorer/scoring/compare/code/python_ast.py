"""Compare Python programs by their syntax trees.

Three things do not count as differences: docstrings, the order of consecutive imports, and type hints that only one of
the programs has. Cost: 1 ms for 100 lines of different code. Equal code is not parsed.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

PYTHON = frozenset({"python", "py", "python3"})
_IMPORTS = (ast.Import, ast.ImportFrom)
_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def same_program(left: str, right: str) -> bool:
    """Return whether two Python programs are equivalent. If one of them does not parse, return False."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trees = ast.parse(left), ast.parse(right)
        hinted = [any(_type_hints(tree)) for tree in trees]
        ours, theirs = (ast.dump(_Normaliser(hinted[0] != hinted[1]).visit(tree)) for tree in trees)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return ours == theirs


def _type_hints(tree: ast.AST) -> Iterator[bool]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            yield node.returns is not None
        elif isinstance(node, ast.arg):
            yield node.annotation is not None


class _Normaliser(ast.NodeTransformer):
    """Removes the docstrings from a Python syntax tree and sorts its consecutive imports.

    If ``without_hints`` is True, it also removes the type hints of undecorated functions.
    """

    def __init__(self, without_hints: bool) -> None:
        self._without_hints = without_hints

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, _BODIES):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
            node.body = _with_sorted_imports(node.body)
        if self._without_hints and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        return node


def _with_sorted_imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements with consecutive imports sorted.

    Star imports keep their place, because an import overrides equal names from earlier imports.
    """
    found: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, _IMPORTS) and all(name.name != "*" for name in statement.names):
            run.append(statement)
        else:
            found += [*sorted(run, key=ast.dump), statement]
            run = []
    return [*found, *sorted(run, key=ast.dump)]
