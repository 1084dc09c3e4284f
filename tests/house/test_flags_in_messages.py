"""Messages below the command line name no flags: :mod:`elcrec.wording` says options in the caller's words."""

import ast
import re
from collections.abc import Iterator

import pytest
from source import Module, modules

FLAG = re.compile(r"(?<![\w-])--[a-z]")
FOR_THE_SHELL = ("cli", "serving", "experiments", "wording", "data.named")
"""Only commands call these, or they tell what to type; ``wording`` is where flags are written."""
SETTINGS = "config"
"""Descriptions of settings name options, for ``--help`` and the reference; ``--set`` is read there."""


def named_flags(module: Module) -> Iterator[str]:
    """Texts with flags, apart from docstrings and from what is given to ``worded``."""
    spared: set[ast.AST] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr):
            spared.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "worded":
            spared.update(ast.walk(node))
    texts = (node for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and node not in spared)
    yield from (node.value for node in texts if isinstance(node.value, str) and FLAG.search(node.value))


@pytest.mark.parametrize("module", modules().values(), ids=lambda module: module.name)
def test_only_the_command_line_names_flags(module: Module) -> None:
    if module.name != SETTINGS and not module.name.startswith(FOR_THE_SHELL):
        assert not list(named_flags(module))
