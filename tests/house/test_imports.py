"""Imports run one way: a module imports from lower layers, from its own folder, and in no circle."""

import ast
from collections.abc import Iterator

from source import PACKAGE, Module, modules

# From the lowest layer to the highest; folders of one line do not import each other. The longest name counts.
LAYERS = (
    ("errors", "process"),
    ("losses.registry", "storage"),  # the registry is a plain table, which settings read
    ("config",),
    ("data",),
    ("losses",),
    ("model",),
    ("fitted",),
    ("intents",),
    ("inference",),
    ("evaluation",),
    ("runs",),
    ("training",),
    ("components",),
    ("recommender",),
    ("report",),
    ("experiments", "integrations"),
    ("serving",),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(LAYERS) for name in names}
MOST_TOP_LEVEL_FILES = 8


def layer_of(module: str) -> str | None:
    """The layer a module belongs to; None for the package itself, which only forwards public names."""
    while module and module not in FLOOR:
        module = module.rpartition(".")[0]
    return module or None


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Names of the package's modules that a module imports anywhere, with the line."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name == "elcrec" or name.startswith("elcrec."):
                yield _module_of(name), node.lineno


def _module_of(name: str) -> str:
    inner = name.removeprefix("elcrec").removeprefix(".")
    return inner if inner in modules() else inner.rpartition(".")[0]


def faults(module: Module) -> Iterator[str]:
    """Imports of a module that do not come from a lower layer."""
    layer = layer_of(module.name)
    if layer is None:
        if module.name:
            yield f"{module.shown}: give the new folder or file a place in LAYERS"
        return
    for imported, line in imports(module):
        below = layer_of(imported)
        if below is None:
            yield f"{module.shown}:{line}: import from the module itself, not from the package"
        elif below != layer and FLOOR[below] >= FLOOR[layer]:
            yield f"{module.shown}:{line}: {layer} is below {below}"


def test_modules_import_from_lower_layers() -> None:
    found = [fault for module in modules().values() for fault in faults(module)]
    assert not found, "\n".join(found)


def test_imports_are_absolute() -> None:
    found = [
        f"{module.shown}:{node.lineno}"
        for module in modules().values()
        for node in module.nodes
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not found, "\n".join(found)


def test_no_import_circle() -> None:
    left = {
        module.name: {name for name, _ in imports(module)} - {module.name}
        for module in modules().values()
        if module.name
    }
    while left:
        needed = set().union(*left.values())
        free = [name for name, below in left.items() if not below & left.keys() or name not in needed]
        assert free, f"circles through {sorted(left)}"
        for name in free:
            del left[name]


def test_few_files_at_the_top_level() -> None:
    files = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(files) <= MOST_TOP_LEVEL_FILES, f"put new modules into a folder: {files}"
