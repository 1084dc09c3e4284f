"""Functions are small, and classes and modules keep their private names to themselves.

A longer function, or one with more parameters, says why in a comment between the line above ``def`` (or its decorators)
and the end of its signature: ``# reason: public signature``.
"""

import ast
import re
from collections.abc import Iterator

from source import Function, Module, modules

MOST_LINES = 50
MOST_PARAMETERS = 6
MOST_BRANCHES = 10
# Public, in spite of the underscore.
STANDARD = {"_replace", "_asdict", "_fields", "_make", "_exit"}
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)


def functions() -> Iterator[tuple[Module, Function]]:
    """All functions of the package with their modules."""
    return ((module, function) for module in modules().values() for function in module.functions())


def lines(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def parameters(function: Function) -> int:
    """Parameters without ``self`` and ``cls``; of a verb of the command line none, as they are its options."""
    if any(".command(" in ast.unparse(decorator) for decorator in function.decorator_list):
        return 0
    names = function.args
    named = [one.arg for one in (*names.posonlyargs, *names.args, *names.kwonlyargs) if one.arg not in ("self", "cls")]
    return len(named) + (names.vararg is not None) + (names.kwarg is not None)


def branches(function: Function) -> int:
    """Cyclomatic complexity, conditional expressions included."""
    return 1 + sum(isinstance(node, BRANCHES) for node in ast.walk(function))


def gives_reason(module: Module, function: Function) -> bool:
    """Whether a comment says why a function is large."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    header = module.lines[max(0, first - 2) : function.body[0].lineno]
    return any(re.search(r"# reason: \w+", line) for line in header)


def too_large(function: Function) -> Iterator[str]:
    """What a function has too much of."""
    if lines(function) > MOST_LINES:
        yield f"has {lines(function)} lines"
    if parameters(function) > MOST_PARAMETERS:
        yield f"has {parameters(function)} parameters"


def test_functions_are_short_and_take_few_parameters() -> None:
    found = [
        f"{module.shown}:{function.lineno}: {function.name} {fault}"
        for module, function in functions()
        if not gives_reason(module, function)
        for fault in too_large(function)
    ]
    assert not found, "\n".join(found)


def test_functions_branch_little() -> None:
    found = [
        f"{module.shown}:{function.lineno}: {function.name} has a complexity of {branches(function)}"
        for module, function in functions()
        if branches(function) > MOST_BRANCHES
    ]
    assert not found, "\n".join(found)


def foreign_private_names(module: Module) -> Iterator[tuple[str, int]]:
    """Private names that a file uses and does not define, with the line."""
    defined = set(STANDARD)
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
            defined.add(node.attr)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in defined:
            yield ast.unparse(node), node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.name, node.lineno) for alias in node.names if _is_private(alias.name))


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_private_names_stay_in_their_file() -> None:
    found = [
        f"{module.shown}:{line}: {name}"
        for module in modules().values()
        for name, line in foreign_private_names(module)
    ]
    assert not found, "private names of other files:\n" + "\n".join(found)
