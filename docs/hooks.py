"""Pages of the site that are generated from the code when the site is built: settings, command line, losses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from elcrec.cli.app import app
from elcrec.config import Settings, resolve
from elcrec.losses.registry import NEXT_ITEM_LOSSES

GENERATED = "Generated from the code of this version."
LOSSES_MARKER = "<!-- losses -->"
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):(?=<code>)")
CELL = re.compile(r"<td>([^<]+)</td>")
TABLES, SHORT = ("results.md", "results-archive.md"), 24
BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, lines in (("reference/settings.md", settings_page()), ("reference/cli.md", cli_page())):
        files.append(File.generated(config, path, content="\n".join(lines) + "\n"))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table of registered losses where a page asks for it."""
    return markdown.replace(LOSSES_MARKER, "\n".join(losses_table()))


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Remove the roles that docstrings put before names (``:class:`` and the like); mark cells of result tables."""
    html = ROLE.sub("", html)
    return CELL.sub(_marked, html) if page.file.src_uri in TABLES else html


def _marked(cell: re.Match[str]) -> str:
    """A cell that is not broken into lines where it is short, and is not narrow where it is long."""
    return f'<td class="{"figure" if len(cell[1]) <= SHORT else "wide"}">{cell[1]}</td>'


def text(prose: str) -> str:
    """Plain text as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]|])", r"\\\1", " ".join(prose.split())).replace("<", "&lt;")


def code(value: object) -> str:
    """A value as code, in a cell of a table."""
    return "`" + str(value).replace("|", "\\|") + "`"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ("-",) * len(header), *rows)]


# ---------------------------------------------------------------------- settings


def settings_page() -> Iterator[str]:
    """Every setting: default, value in `paper`, range, description."""
    default, paper = resolve("default").model_dump(), resolve("paper").model_dump()
    yield from ["# Settings", "", GENERATED, ""]
    yield "Give them with `--set NAME=VALUE`, as `ELCRec(NAME=VALUE)`, or in a recipe (a TOML file)."
    for section, names in sections():
        rows = []
        for name in names:
            field = Settings.model_fields[name]
            other = "" if paper[name] == default[name] else code(paper[name])
            rows.append((code(name), allowed(field), code(default[name]), other, text(field.description or "")))
        yield from ["", f"## {section}", ""]
        yield from table(("setting", "values", "default", "in `paper`", "meaning"), rows)


def sections() -> list[tuple[str, list[str]]]:
    """Names of settings by the comment above them in the code."""
    found: list[tuple[str, list[str]]] = []
    for line in inspect.getsource(Settings).splitlines():
        if comment := re.fullmatch(r"    # ([A-Z]\w+)", line):
            found.append((comment[1], []))
        elif (field := re.match(r"    (\w+): ", line)) and field[1] in Settings.model_fields:
            found[-1][1].append(field[1])
    return found


def allowed(field: Any) -> str:
    """Type and range of a setting."""
    bounds = [f"{sign} {getattr(one, name):g}" for name, sign in BOUNDS for one in field.metadata if hasattr(one, name)]
    return ", ".join([kind(field.annotation), *bounds])


def kind(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is Literal:
        return ", ".join(map(code, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(kind(one) for one in get_args(annotation) if one is not type(None))
    return text(getattr(annotation, "__name__", str(annotation)))


# ------------------------------------------------------------------ command line


def cli_page() -> Iterator[str]:
    """Every verb with its arguments and options."""
    yield from ["# Command line", "", GENERATED, "", "Every verb takes `--help`."]
    yield from verb_lines(typer.main.get_command(app), "elcrec")


def verb_lines(command: Any, path: str) -> Iterator[str]:
    """A verb, or those of a group."""
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from verb_lines(one, f"{path} {name}")
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    yield from ["", f"## {path}", "", text(command.help or ""), "", "```text"]
    yield " ".join([path, "[OPTIONS]", *((one.metavar or one.name).upper() for one in arguments)])
    yield "```"
    rows = [(names(one), text(getattr(one, "help", "") or ""), shown_default(one)) for one in command.params]
    yield from ["", *table(("argument or option", "meaning", "default"), rows)]
    if command.epilog:
        example = [line.strip() for line in command.epilog.splitlines() if line.strip().startswith("elcrec")]
        yield from ["", "```text", *example, "```"]


def names(parameter: Any) -> str:
    """How a parameter is written."""
    if parameter.param_type_name == "argument":
        return code((parameter.metavar or parameter.name).upper())
    return ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))


def shown_default(parameter: Any) -> str:
    """A default that says something."""
    if parameter.required:
        return "required"
    value = parameter.default
    return "" if value in (None, (), [], "", False) or callable(value) else code(value)


# ------------------------------------------------------------------------ losses


def losses_table() -> list[str]:
    """The registry of next-item losses."""
    samples = {"nothing": "nothing", "negative": "a negative a position", "negatives": "negatives a position"}
    rows = [
        (
            code(loss.name),
            text(loss.about),
            samples.get(loss.samples, "`n_negatives` items a step"),
            "yes" if loss.multi_step else "no (`horizon=1`)",
        )
        for loss in NEXT_ITEM_LOSSES.values()
    ]
    return table(("`next_item_loss`", "compares the target", "samples", "multi-step targets"), rows)
