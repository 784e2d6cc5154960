"""``python -m codegen`` writes the generated code; with ``--check`` it says what is stale."""

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
    """Return the text of all generated files, by their path from the root, not yet formatted."""
    operations, locked = load(), lock.locked_names()
    files: Files = {}
    found: dict[str, GroupClasses] = {}
    wordings: dict[str, Wording] = {}
    for group in groups():
        mine = [operation for operation in operations if operation.group == group]
        found[group], wordings[group] = _generate_group(files, group, mine, locked.get(group, {}))
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
    """Return the paths of the files below ``root`` that an earlier run wrote."""
    folders = [root / PACKAGE / name for name in ("resources", "models", "webhooks/events")]
    found = [
        path for folder in folders for path in folder.rglob("*.py") if HEADER in path.read_text()
    ]
    return {path.relative_to(root) for path in found}


def main() -> int:
    """Generate, or check."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if anything is stale"
    )
    arguments = parser.parse_args()
    try:
        files = generate()
    except CatalogueError as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as room:
        write(files, Path(room))
        fresh = {path: (Path(room) / path).read_text() for path in files}
    obsolete = generated_files(ROOT) - fresh.keys()
    stale = [
        path
        for path, text in fresh.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    if arguments.check:
        for path in sorted({*stale, *obsolete}):
            print(f"stale: {path}")
        return 1 if stale or obsolete else 0
    for path in obsolete:
        (ROOT / path).unlink()
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(fresh[path])
    print(f"{len(fresh)} files, {len(stale)} written, {len(obsolete)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
