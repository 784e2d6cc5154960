"""``from tiktok_shop_async.… import *`` imports what is installed, and requires no extra."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import tiktok_shop_async

ROOT = Path(__file__).parents[1]
PACKAGE = Path(tiktok_shop_async.__file__).parent
PACKAGES = ["", ".auth", ".batch", ".limits", ".testing", ".webhooks", ".webhooks.events"]
NEED_EXTRAS = {
    ".auth": {"EncryptedTokenStore", "RedisTokenStore", "SQLTokenStore", "StateSigner"},
    ".batch": {"SQLJournal"},
    ".limits": {"RedisLimiter"},
    ".testing": {"MockTikTokShop", "Sandbox"},
    ".webhooks": {"RedisWebhookStore", "SQLWebhookStore", "webhook_event"},
}
SCRIPT = """
import json, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
exported = {}
for package in json.loads(sys.argv[2]):
    names = {}
    exec(f"from tiktok_shop_async{package} import *", names)
    exported[package] = sorted(names.keys() - {"__builtins__"})
print(json.dumps(exported))
"""


def modules_of_extras() -> list[str]:
    """Return the importable modules of everything that an extra installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    distributions = {
        re.split(r"[^\w-]", requirement)[0]
        for requirements in project["optional-dependencies"].values()
        for requirement in requirements
    } - {project["name"]}
    return [
        module
        for module, providers in packages_distributions().items()
        if distributions.intersection(re.sub("[._]", "-", each.lower()) for each in providers)
    ]


def star_imports(packages: list[str], *, without: list[str]) -> dict[str, set[str]]:
    """Return the names that each package exports in a process that cannot import some modules."""
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SCRIPT, json.dumps(without), json.dumps(packages)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return {package: set(names) for package, names in json.loads(process.stdout).items()}


def declared(package: str) -> set[str]:
    """Return what a package declares to type checkers as its ``__all__``."""
    source = PACKAGE.joinpath(*package.split("."), "__init__.py").read_text()
    lists = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return set(ast.literal_eval(lists[0]))


def test_a_star_import_needs_only_the_core() -> None:
    modules = modules_of_extras()
    assert {"redis", "sqlalchemy", "starlette", "respx", "pytest", "cryptography"} <= {*modules}
    exported = star_imports(PACKAGES, without=modules)
    for package in PACKAGES[:-1]:
        assert exported[package] == declared(package) - NEED_EXTRAS.get(package, set())
    assert "OrderStatusChangeData" in exported[".webhooks.events"]


def test_a_star_import_gives_everything_where_all_extras_are_installed() -> None:
    exported = star_imports(PACKAGES, without=[])
    for package in PACKAGES[:-1]:
        assert exported[package] == declared(package)


@pytest.mark.parametrize(
    ("module", "package", "missing"),
    [
        ("redis", ".webhooks", {"RedisWebhookStore"}),
        ("redis", ".auth", {"RedisTokenStore"}),
        ("filelock", ".auth", {"SQLTokenStore"}),
        ("itsdangerous", ".auth", {"StateSigner"}),
    ],
)
def test_one_missing_library_hides_only_what_needs_it(
    module: str, package: str, missing: set[str]
) -> None:
    exported = star_imports([package], without=[module])[package]
    assert declared(package) - exported == missing


def test_a_fault_of_the_package_itself_is_not_hidden() -> None:
    with pytest.raises(AssertionError, match=r"tiktok_shop_async\.webhooks\.receiving\.receiver"):
        star_imports([".webhooks"], without=["tiktok_shop_async.webhooks.receiving.receiver"])


@pytest.mark.parametrize("package", [".sandbox", ".integrations.taskiq"])
def test_a_package_that_is_an_extra_as_a_whole_names_it(package: str) -> None:
    with pytest.raises(AssertionError, match=rf"tiktok-shop-async\[{package.rpartition('.')[2]}\]"):
        star_imports([package], without=modules_of_extras())
