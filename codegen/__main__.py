"""The command ``python -m codegen``: generate the code, or check that it is up to date."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from . import lock
from .catalogue import EVENTS, ROOT, CatalogueError, OperationFacts, groups, load, load_events
from .classes import GroupClasses, classes_of
from .emit_events import event_modules, webhooks_package
from .emit_models import HEADER, model_modules
from .emit_resources import groups_module, resource_module
from .emit_shapes import shapes_file, webhooks_file
from .modules import lay_out
from .naming import names_of
from .wording import Wording, wording_of

PACKAGE = Path("tiktok_shop_async")

Files = dict[Path, str]


def generate() -> Files:
    """Return the unformatted text of all generated files by path, relative to the root."""
    operations, locked = load(), lock.locked_names()
    files: Files = {}
    found: dict[str, GroupClasses] = {}
    wordings: dict[str, Wording] = {}
    for group in groups():
        members = [operation for operation in operations if operation.group == group]
        found[group], wordings[group] = _generate_group(
            files, group, members, locked.get(group, {})
        )
    if events := load_events():
        modules, found[EVENTS] = event_modules(events, locked.get(EVENTS, {}))
        files |= {PACKAGE / "webhooks" / "events" / name: text for name, text in modules.items()}
        files[PACKAGE / "webhooks" / "__init__.py"] = webhooks_package(events)
    files[PACKAGE / "spec" / "shapes" / "webhooks.json"] = webhooks_file()
    files[PACKAGE / "resources" / "_groups.py"] = groups_module(groups(), wordings)
    files[lock.PATH.relative_to(ROOT)] = lock.lock_text(found)
    return files


def _generate_group(
    files: Files, group: str, operations: list[OperationFacts], locked: dict[str, str]
) -> tuple[GroupClasses, Wording]:
    names = names_of(group, locked)
    found = classes_of(group, operations, names)
    names.check_used()
    wording = wording_of(group, operations)
    layout = lay_out(operations, found)
    files[PACKAGE / "resources" / f"{group}.py"] = resource_module(
        group, operations, found, wording
    )
    files[PACKAGE / "spec" / "shapes" / f"{group}.json"] = shapes_file(operations, found)
    for name, text in model_modules(group, found, layout, wording).items():
        files[PACKAGE / "models" / group / name] = text
    return found, wording


def write(files: Files, root: Path) -> None:
    """Write and format ``files`` below ``root``."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    config = [
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        "--quiet",
        str(root / PACKAGE),
    ]
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *config], check=True)


def generated_files(root: Path) -> set[Path]:
    """Return the paths of the generated modules below ``root``, including obsolete ones."""
    folders = [root / PACKAGE / name for name in ("resources", "models", "webhooks/events")]
    found = [
        path for folder in folders for path in folder.rglob("*.py") if HEADER in path.read_text()
    ]
    return {path.relative_to(root) for path in found}


def main() -> int:
    """Generate the code, or check it with ``--check``, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codegen",
        description="Generate resources, models, events and shapes from catalogue/.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list stale files and exit with status 1 if there are any",
    )
    arguments = parser.parse_args()
    try:
        fresh = formatted(generate())
    except CatalogueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    obsolete = generated_files(ROOT) - fresh.keys()
    stale = [
        path
        for path, text in fresh.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    if arguments.check:
        outdated = sorted({*stale, *obsolete})
        for path in outdated:
            print(f"stale: {path}")
        if outdated:
            print("error: run `python -m codegen` to update the generated code.", file=sys.stderr)
        return 1 if outdated else 0
    for path in obsolete:
        (ROOT / path).unlink()
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(fresh[path])
    print(f"{len(fresh)} files generated, {len(stale)} written, {len(obsolete)} removed")
    return 0


def formatted(files: Files) -> Files:
    """Return ``files`` with formatted texts."""
    with tempfile.TemporaryDirectory() as folder:
        write(files, Path(folder))
        return {path: (Path(folder) / path).read_text() for path in files}


if __name__ == "__main__":
    sys.exit(main())
