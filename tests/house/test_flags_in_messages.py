"""Messages below the command line name no flags: :mod:`elcrec.process.wording` says options in the caller's words."""

import ast
import re
from collections.abc import Iterator

from source import Module, modules

FLAG = re.compile(r"(?<![\w-])--[a-z]")
FOR_THE_SHELL = ("cli", "serving", "experiments", "process.wording", "data.named")
"""Only commands call these, or they tell what to type; ``wording`` is where flags are written."""
SETTINGS = "config"
"""Descriptions of settings name options, for ``--help`` and the reference; ``--set`` is read there."""


def named_flags(module: Module) -> Iterator[str]:
    """Texts with flags, apart from docstrings and from what is given to ``worded``."""
    spared: set[ast.AST] = set()
    for node in module.nodes:
        if isinstance(node, ast.Expr):
            spared.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "worded":
            spared.update(ast.walk(node))
    texts = (node for node in module.nodes if isinstance(node, ast.Constant) and node not in spared)
    yield from (node.value for node in texts if isinstance(node.value, str) and FLAG.search(node.value))


def test_only_the_command_line_names_flags() -> None:
    found = [
        f"{module.shown}: {text!r}"
        for module in modules().values()
        if module.name != SETTINGS and not module.name.startswith(FOR_THE_SHELL)
        for text in named_flags(module)
    ]
    assert not found, "\n".join(found)
