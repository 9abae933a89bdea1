"""Python programs that differ in nothing that runs: docstrings, the order of imports, hints on one side only.

Read as syntax trees, so that only what is certain counts. Cost: 1 ms for 100 lines, where the code differs at all.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

PYTHON = frozenset({"python", "py", "python3"})
_IMPORTS = (ast.Import, ast.ImportFrom)
_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def same_program(left: str, right: str) -> bool:
    """Whether two Python programs are the same but for these; False for what does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trees = ast.parse(left), ast.parse(right)
        hinted = [any(_hints(tree)) for tree in trees]
        ours, theirs = (ast.dump(_Bare(hinted[0] != hinted[1]).visit(tree)) for tree in trees)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return ours == theirs


def _hints(tree: ast.AST) -> Iterator[bool]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            yield node.returns is not None
        elif isinstance(node, ast.arg):
            yield node.annotation is not None


class _Bare(ast.NodeTransformer):
    """Takes off docstrings, puts imports that follow each other in order, and takes hints off undecorated functions."""

    def __init__(self, without_hints: bool) -> None:
        self._without_hints = without_hints

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, _BODIES):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
            node.body = _ordered(node.body)
        if self._without_hints and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        return node


def _ordered(body: list[ast.stmt]) -> list[ast.stmt]:
    """Imports that follow each other in one order; those with a star stay, as the later one's names win."""
    found: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, _IMPORTS) and all(name.name != "*" for name in statement.names):
            run.append(statement)
        else:
            found += [*sorted(run, key=ast.dump), statement]
            run = []
    return [*found, *sorted(run, key=ast.dump)]
