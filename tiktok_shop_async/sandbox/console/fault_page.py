"""The page of fault rules and rate limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ...pipeline.admission.limiter import EndpointClass
from ..faults.rate_limits import LimitSettings
from ..faults.rules import FaultKind, FaultRule
from ..state.sandbox_state import SandboxState
from .forms import Form
from .pages import Page

EXPLANATIONS: Mapping[FaultKind, str] = {
    FaultKind.THROTTLED: "HTTP 429 with code 36009002. Not processed.",
    FaultKind.QUOTA_EXHAUSTED: "HTTP 429 with code 36009037: the hourly quota is used up. "
    "Not processed.",
    FaultKind.INTERNAL_ERROR: "HTTP 500 with code 36009003.",
    FaultKind.UNAVAILABLE: "HTTP 503 with plain text instead of JSON.",
    FaultKind.HTML_PAGE: "HTTP 502 with an HTML page, as from a proxy.",
    FaultKind.SLOW_HEADERS: "The correct response, late.",
    FaultKind.SLOW_BODY: "The correct response, with a delay in the middle of its body.",
    FaultKind.RESET_BEFORE: "The connection is reset. Not processed.",
    FaultKind.RESET_AFTER: "The call is processed, then the connection is reset.",
    FaultKind.LOST_ANSWER: "The call is processed, then the connection closes without a response.",
    FaultKind.TRUNCATED_BODY: "The call is processed; the response ends in the middle of its body.",
    FaultKind.NULL_DATA: "A successful response with data: null.",
    FaultKind.NUMBERS_AS_STRINGS: "The correct response, with its numbers as strings.",
    FaultKind.EXTRA_FIELDS: "The correct response, with undocumented fields in every object.",
}
NAMES: Mapping[FaultKind, str] = {
    **{kind: kind.replace("_", " ").capitalize() for kind in FaultKind},
    FaultKind.HTML_PAGE: "HTML page",
    FaultKind.LOST_ANSWER: "Lost response",
    FaultKind.RESET_BEFORE: "Reset before processing",
    FaultKind.RESET_AFTER: "Reset after processing",
}
SLOW = (FaultKind.SLOW_HEADERS, FaultKind.SLOW_BODY)
EITHER = (FaultKind.INTERNAL_ERROR, FaultKind.UNAVAILABLE, FaultKind.HTML_PAGE)
"""Kinds for which a rule decides whether the call is processed."""

RETRY_AFTER_FORMS = ("seconds", "date")

CLASSES: Mapping[EndpointClass, tuple[str, str]] = {
    EndpointClass.LIGHT_READ: ("Light reads", "GET"),
    EndpointClass.READ: ("Reads", "searches by POST"),
    EndpointClass.WRITE: ("Writes", "everything that changes data"),
    EndpointClass.HEAVY_WRITE: ("Heavy writes", "uploads"),
}


def fault_page(page: Page) -> Response:
    """Return the page."""
    return page.render(
        "faults",
        faults=list(page.state.faults),
        names=NAMES,
        explanations=EXPLANATIONS,
        conditions=conditions,
        settings=page.state.limits.settings,
        classes=CLASSES,
    )


def conditions(rule: FaultRule) -> list[str]:
    """Return the conditions and settings of a rule in words."""
    parts = []
    if rule.nth is not None:
        parts.append(f"only call {rule.nth}")
    if rule.every is not None:
        parts.append(f"every {rule.every} calls")
    if rule.probability < 1:
        parts.append(f"probability {rule.probability:g}, seed {rule.seed}")
    if rule.times is not None:
        parts.append(f"at most {rule.times} times")
    if rule.retry_after is not None:
        parts.append(f"Retry-After {rule.retry_after} s as {rule.retry_after_as}")
    if rule.kind in SLOW:
        parts.append(f"{rule.seconds:g} s")
    if rule.kind in EITHER:
        parts.append("after processing" if rule.after_processing else "not processed")
    return parts or ["every call"]


def add_fault(state: SandboxState, form: Form) -> str:
    """Add a rule, without settings that its kind ignores."""
    kind = form.required("kind")
    rule: dict[str, Any] = {
        "kind": kind,
        "operation": form.required("operation"),
        "nth": form.whole("nth", "Only call number"),
        "every": form.whole("every", "Every n-th call"),
        "probability": form.number("probability", "Probability", maximum=1),
        "times": form.whole("times", "At most"),
        "seed": form.whole("seed", "Seed", minimum=0),
    }
    if kind == FaultKind.THROTTLED:
        rule["retry_after"] = form.whole("retry_after", "Retry-After", minimum=0)
        rule["retry_after_as"] = form.choice("retry_after_as", "Retry-After as", RETRY_AFTER_FORMS)
    if kind in SLOW:
        rule["seconds"] = form.number("seconds", "Delay")
    if kind in EITHER:
        rule["after_processing"] = bool(form.text("after_processing"))
    given = {name: value for name, value in rule.items() if value is not None}
    fault = state.faults.add(FaultRule.from_json(given))
    return f"Fault added: {NAMES[fault.rule.kind]} on {fault.rule.operation}."


def remove_fault(state: SandboxState, form: Form) -> str:
    """Remove a rule."""
    number = form.whole("fault", "Fault") or 0
    try:
        state.faults.remove(number)
    except KeyError:
        raise LookupError(f"Fault {number} was already removed.") from None
    return "Fault removed."


def clear_faults(state: SandboxState, _: Form) -> str:
    """Remove all rules."""
    state.faults.clear()
    return "All faults removed."


def set_limits(state: SandboxState, form: Form) -> str:
    """Replace all limits."""
    rates = {}
    for kind, (label, _) in CLASSES.items():
        per_second = form.number(f"{kind}.per_second", f"{label} per second")
        burst = form.whole(f"{kind}.burst", f"{label}, burst")
        if per_second is None and burst is not None:
            raise ValueError(f"{label}: a burst requires a number of calls per second.")
        if per_second == 0:
            raise ValueError(f"{label} per second must be above 0; leave it empty for no limit.")
        if per_second is not None:
            rates[kind] = {"per_second": per_second, "burst": burst or 1}
    settings = {
        "rates": rates,
        "hourly_quota": form.whole("hourly_quota", "Calls per hour"),
        "retry_after": form.text("retry_after") or None,
    }
    state.limits.set(LimitSettings.from_json(settings))
    return "Rate limits set." if rates or settings["hourly_quota"] else "No rate limits."


def clear_limits(state: SandboxState, _: Form) -> str:
    """Remove all limits."""
    state.limits.set(LimitSettings())
    return "Rate limits removed."
