"""The lock file: a hash of the generator's input, and the chosen class names."""

from __future__ import annotations

import json

from .catalogue import CATALOGUE, fingerprint
from .classes import GroupClasses

GENERATOR_VERSION = 1
PATH = CATALOGUE / "catalogue.lock"

LockedNames = dict[str, dict[str, str]]


def locked_names() -> LockedNames:
    """Return the class names of earlier runs: group -> key of an occurrence -> name."""
    if not PATH.exists():
        return {}
    names: LockedNames = json.loads(PATH.read_text())["names"]
    return names


def lock_text(found: dict[str, GroupClasses]) -> str:
    """Return the text of the lock file for the classes of all groups."""
    names = {group: classes.chosen for group, classes in found.items()}
    document = {"catalogue": fingerprint(), "generator": GENERATOR_VERSION, "names": names}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
