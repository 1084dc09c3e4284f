"""What people outside rely on: Python names and signatures, verbs and options, HTTP schema, settings, files of a run.

python tests/surface.py   # renew tests/surface.json, where something was added: nothing is renamed or taken away
"""

import inspect
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import typer  # noqa: E402

import elcrec  # noqa: E402
from cli_runner import RUN_FILES  # noqa: E402
from elcrec.cli.app import app  # noqa: E402
from elcrec.config import Settings  # noqa: E402
from served import Served, shop_run  # noqa: E402

FILE = HERE / "surface.json"


def of_class(cls: type) -> dict[str, str]:
    """Public names with their signatures; ``value`` where there is none."""
    found = {}
    for name in sorted(dir(cls)):
        if not name.startswith("_") or name == "__init__":
            call = getattr(cls, name)
            found[name] = parameters_of(call) if callable(call) else "value"
    return found


def parameters_of(call: Any) -> str:
    """Names, kinds and defaults; types are for the type checker."""
    signature = inspect.signature(call)
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def of_verbs(command: Any, path: str = "elcrec") -> dict[str, Any]:
    """Options by verb, with their defaults."""
    if hasattr(command, "commands"):
        return {
            n: v for name, one in sorted(command.commands.items()) for n, v in of_verbs(one, f"{path} {name}").items()
        }
    described = {}
    for option in command.params:
        names = "/".join([*option.opts, *option.secondary_opts])
        kind = getattr(getattr(option, "type", None), "name", "")
        described[names] = f"{kind}{' required' if option.required else ''} = {option.default}"
    return {path: described}


def of_server(schema: dict[str, Any]) -> Any:
    """Paths with parameters, bodies and answers, as the server's own schema has them; no prose, no class names."""
    prose = ("description", "summary", "title", "examples", "operationId", "tags", "deprecated")

    def bare(value: Any) -> Any:
        if isinstance(value, list):
            return [bare(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return bare(schema["components"]["schemas"][value["$ref"].split("/")[-1]])
        return {n: bare(one) for n, one in value.items() if n not in prose or not isinstance(one, str | list | bool)}

    return bare(schema["paths"])


def surface(schema: dict[str, Any]) -> dict[str, Any]:
    """All of it; ``schema`` is the answer of ``/openapi/openapi.json``."""
    classes = {"ELCRec": elcrec.ELCRec, "Interactions": elcrec.Interactions}
    return {
        "names": elcrec.__all__,
        **{name: of_class(cls) for name, cls in classes.items()},
        "verbs": of_verbs(typer.main.get_command(app)),
        "settings": {name: str(field.annotation) for name, field in sorted(Settings.model_fields.items())},
        "run_files": sorted(RUN_FILES),
        "http": of_server(schema),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop_run(Path(folder) / "shop")
        with Served(Path(folder) / "shop") as server:
            found = surface(server.get("/openapi/openapi.json"))
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
