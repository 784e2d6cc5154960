"""Typing mistakes in rules for faults: an error that names what is meant."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from sandbox.wire import new_wire

import tiktok_shop_async.sandbox.__main__ as command
from tiktok_shop_async.sandbox import FaultKind, FaultRule, Faults, LimitSettings, Rate


@pytest.mark.parametrize(
    ("operation", "hint"),
    [
        ("order.get_order_lst", r"Did you mean order\.get_order_list"),
        ("return_refund.cancel_ordr", r"Did you mean return_refund\.cancel_order"),
        ("cancel_order", r"Did you mean return_refund\.cancel_order\?"),
        ("orders.*", r"Did you mean order\.\*"),
        ("oauth.refrsh", r"Did you mean oauth\.refresh"),
        ("Order.*", "a pattern such as"),
        ("", "a pattern such as"),
        ("order.* ", "a pattern such as"),
        ("\ud800", "'.ud800' matches no operation"),
        ("x" * 100_000, "must be an operation's id or a pattern"),
        (None, "must be an operation's id or a pattern, not None"),
        (["order.*"], "must be an operation's id or a pattern"),
    ],
)
def test_an_operation_that_does_not_exist_is_an_error(operation: Any, hint: str) -> None:
    faults = Faults()
    for add in (
        lambda: faults.add("throttled", operation=operation),
        lambda: FaultRule("throttled", operation=operation),
        lambda: FaultRule.from_json({"kind": "throttled", "operation": operation}),
    ):
        with pytest.raises(ValueError, match=hint) as caught:
            add()
        str(caught.value).encode()
        assert len(str(caught.value)) < 1000
    assert len(faults) == 0


@pytest.mark.parametrize(
    "operation",
    [
        "*",
        "order.*",
        "*order*",
        "*.cancel_order",
        "order.get_order_lis?",
        "oauth.*",
        "oauth.exchange",
        "oauth.refresh",
        "files.*",
    ],
)
def test_patterns_and_token_endpoints_are_operations(operation: str) -> None:
    assert FaultRule("throttled", operation=operation).operation == operation


@pytest.mark.parametrize(
    ("arguments", "options", "error", "hint"),
    [
        (
            ("throttled",),
            {"nht": 2},
            TypeError,
            r"'nht'\. Did you mean nth\? Accepted are",
        ),
        (("throttled",), {"retry_afer": 2}, TypeError, "Did you mean retry_after"),
        (("throtled",), {}, ValueError, r"not 'throtled'\. Did you mean throttled"),
        (("",), {}, ValueError, "kind must be one of throttled, "),
        ((FaultRule("throttled"),), {"nth": 2}, TypeError, "nth would have no effect"),
        (({"kind": "throttled"},), {}, TypeError, "rule must be a FaultRule or a kind"),
        ((None,), {}, TypeError, "rule must be a FaultRule or a kind"),
    ],
)
def test_unknown_kinds_and_options_are_errors(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], hint: str
) -> None:
    faults = Faults()
    with pytest.raises(error, match=hint):
        faults.add(*arguments, **options)
    assert len(faults) == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"kind": "throtled"}, r"not 'throtled'\. Did you mean throttled\?"),
        ({"kind": []}, r"kind must be one of throttled, .*, not \[\]"),
        ({"kind": {}}, r"kind must be one of throttled, .*, not {}"),
        ({"kind": None}, "kind must be one of throttled, .*, not None"),
        ({"kind": 1}, "kind must be one of throttled, .*, not 1"),
        ({"seed": "a"}, "seed must be an integer from .*, not 'a'"),
        ({"seed": True}, "seed must be an integer from .*, not True"),
        ({"retry_after_as": "dat"}, r"one of seconds, date, not 'dat'\. Did you mean date\?"),
        ({"retry_after_as": []}, r"one of seconds, date, not \[\]"),
        ({"after_processing": 1}, "after_processing must be one of True, False, not 1"),
    ],
)
def test_a_rule_made_directly_rejects_values_with_a_readable_error(
    options: dict[str, Any], hint: str
) -> None:
    document = {"kind": "throttled", **options}
    for make in (lambda: FaultRule(**document), lambda: FaultRule.from_json(document)):
        with pytest.raises(ValueError, match=hint) as caught:
            make()
        assert len(caught.value.args) == 1, "only a message"


@pytest.mark.parametrize("rules", ["throttled", None, FaultRule("throttled")])
def test_rules_that_are_no_collection_are_an_error(rules: Any) -> None:
    with pytest.raises(TypeError, match="rules must be an iterable of FaultRule, not"):
        Faults(rules)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"rates": 3}, "rates must be a mapping, not 3"),
        ({"rates": {"wrte": Rate(1)}}, "rates has an unexpected field 'wrte'; accepted are "),
        ({"rates": {"write": 3}}, r"rates\['write'\] must be a Rate, not 3"),
        ({"retry_after": "second"}, r"not 'second'\. Did you mean seconds\?"),
    ],
)
def test_limits_made_directly_reject_values_with_a_readable_error(
    settings: dict[str, Any], hint: str
) -> None:
    with pytest.raises(ValueError, match=hint) as caught:
        LimitSettings(**settings)
    assert len(caught.value.args) == 1, "only a message"


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"kind": "throttled", "nht": 2}, "Did you mean nth"),
        ({"kind": "throttled", "\ud800": 2}, "unexpected option"),
        ({"kind": "throttled", "operation": "\ud800"}, "matches no operation"),
        ({"kind": "\ud800"}, "kind must be one of"),
        ({"nth": 2}, "requires a kind: one of throttled"),
        ([], "such as {"),
    ],
)
async def test_a_rejected_rule_is_explained_and_not_kept(document: Any, word: str) -> None:
    wire = new_wire()
    async with wire.http:
        response = await wire.http.post("/_sandbox/faults", content=json.dumps(document))
        assert response.status_code == 400
        assert word in response.json()["error"]
        assert (await wire.http.get("/_sandbox/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "throttled"], ["'throttled' is not JSON", '{"kind": "throttled"', *FaultKind]),
        (["--fault", ""], ["'' is not JSON", *FaultKind]),
        (["--fault", '"throttled"'], ["must be a JSON object", *FaultKind]),
        (["--fault", '{"kind": "throtled"}'], ["Did you mean throttled"]),
        (["--fault", '{"kind": "throttled", "nht": 2}'], ["Did you mean nth"]),
        (["--fault", '{"kind": "throttled", "operation": "order.cancel"}'], ["matches no operat"]),
        (["--fault", "[" * 100_000], ["is not JSON"]),
        (["--limits", "fast"], ["'fast' is not JSON", '{"rates": {"write"']),
        (["--limits", '{"rate": 3}'], ["rate", '{"rates": {"write"']),
        (["--port", "abc"], ["--port", "abc"]),
        (["--port", "70000"], ["--port", "from 0 to 65535, not '70000'"]),
        (["--orders", "-1"], ["--orders", "'-1'"]),
        (["--webhook-time-scale", "nan"], ["--webhook-time-scale", "'nan'"]),
        (["--webhook-url", "example"], ["--webhook-url", "'example'"]),
        (["--prot", "1"], ["--prot"]),
        (["--shop", "1"], ["unrecognized arguments: --shop"]),
    ],
)
def test_a_wrong_argument_is_a_readable_error(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert [word for word in words if word not in said] == []


def test_the_command_line_shows_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiktok_shop_async.sandbox", "--fault", "throttled"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "is not JSON" in done.stderr
    assert "lost_answer" in done.stderr
