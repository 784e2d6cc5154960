"""The generator, on small catalogues of its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen import __main__ as generator
from codegen import catalogue, lock, naming, text, wording
from codegen.catalogue import CatalogueError
from codegen.classes import ClashError

ROOT = Path(__file__).parent.parent.parent

Generate = Callable[..., dict[str, str]]


def operation(name: str, **facts: Any) -> dict[str, Any]:
    """Return an operation as the catalogue has it."""
    return {
        "name": name,
        "method": "POST",
        "path": f"/shop/{{version}}/{name}",
        "versions": ["202309"],
        "docs": {"202309": f"{name}-202309"},
        "effect": "read",
        "auth": {"shop_cipher": False, "category_asset_cipher": False},
        "content_type": "application/json",
        "sources": {},
        "path_params": {},
        "query": {},
        "body": {},
        "response": {},
    } | facts


def fields(*names: str, **more: Any) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names} | more


def objects(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "fields": of}}


@pytest.fixture
def generate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """Return a function that generates files from a catalogue of one group, ``shop``."""
    home = tmp_path / "catalogue"
    for folder in ("operations", "names", "wording"):
        (home / folder).mkdir(parents=True)
    for module in (catalogue, naming, wording):
        monkeypatch.setattr(module, "CATALOGUE", home)
    (home / "webhooks.json").write_text('{"webhooks": []}')
    monkeypatch.setattr(lock, "PATH", home / "catalogue.lock")
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def run(*operations: dict[str, Any], names: str = "", overrides: str = "") -> dict[str, str]:
        document = {"group": "shop", "operations": list(operations)}
        (home / "operations" / "shop.json").write_text(json.dumps(document))
        (home / "names" / "shop.toml").write_text(names)
        (home / "overrides.toml").write_text(overrides or "correction = []")
        said = 'group = "A shop."\n' + "".join(
            f'[operations.{one["name"]}]\nsummary = "Do {one["name"]}."\n' for one in operations
        )
        (home / "wording" / "shop.toml").write_text(said)
        files = generator.generate()
        generator.write(files, tmp_path)
        package = tmp_path / generator.PACKAGE
        return {
            str(path.relative_to(tmp_path)).removeprefix("tiktok_shop_async/"): path.read_text()
            for path in [*package.rglob("*.py"), tmp_path / "catalogue" / "catalogue.lock"]
            if path.exists()
        }

    return run


def test_equal_input_gives_equal_output_whatever_the_order(generate: Generate) -> None:
    first, second = (
        operation("get_a", response=fields("x")),
        operation("get_b", response=fields("y")),
    )
    runs = generate(first, second), generate(second, first)
    for files in runs:
        del files["catalogue/catalogue.lock"]  # it has the hash of the input
    assert runs[0] == runs[1]


def test_a_new_operation_touches_only_what_is_about_it(generate: Generate) -> None:
    old = operation("get_a", response=fields("x", parts=objects(fields("id", "name", "size"))))
    before = generate(old)
    after = generate(old, operation("get_b", response=fields("y")))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {
        "models/shop/__init__.py", "models/shop/get_b.py", "resources/shop.py",
        "catalogue/catalogue.lock",
    }  # fmt: skip


def test_one_thing_in_two_operations_is_one_class_with_all_fields(generate: Generate) -> None:
    files = generate(
        operation("get_order", response={"orders": objects(fields("id", "status", "note"))}),
        operation("search_orders", response={"orders": objects(fields("id", "status", "total"))}),
    )
    shared = files["models/shop/order.py"]
    assert all(
        f"    {name}: str | None = None" in shared for name in ("id", "note", "status", "total")
    )
    assert "class Order:" not in files["models/shop/search_orders.py"]
    assert "from .order import Order" in files["models/shop/search_orders.py"]


def test_things_that_differ_under_one_name_fail_until_they_are_settled(generate: Generate) -> None:
    operations = [
        operation("get_order", response={"orders": objects(fields("id", "status", "note"))}),
        operation("get_sale", response={"orders": objects(fields("code", "amount", "day"))}),
    ]
    with pytest.raises(ClashError, match=r"get_sale\.response\.orders") as caught:
        generate(*operations)
    assert "catalogue/names/shop.toml" in str(caught.value)
    files = generate(*operations, names='[classes]\n"get_sale.response.orders" = "SaleOrder"\n')
    assert "class SaleOrder:" in files["models/shop/get_sale.py"]


def test_fields_of_one_name_and_two_types_are_a_clash(generate: Generate) -> None:
    with pytest.raises(ClashError, match="the types of their field code differ"):
        generate(
            operation("get_a", response={"errors": objects(fields("code", "text"))}),
            operation(
                "get_b", response={"errors": objects(fields("text", code={"type": "integer"}))}
            ),
        )


@pytest.mark.parametrize(
    ("name", "reason"),
    [("A" * 41, "longer than 40"), ("Pager", "is reserved"), ("Warning", "is reserved")],
)
def test_unusable_names_are_refused(generate: Generate, name: str, reason: str) -> None:
    with pytest.raises(ClashError, match=reason):
        generate(operation("get_a", response=fields("x")), names=f'[data]\nget_a = "{name}"\n')


@pytest.mark.parametrize("names", ['[classes]\n"get_a.response.no" = "X"', '[data]\nget_b = "X"'])
def test_names_for_what_is_not_there_are_refused(generate: Generate, names: str) -> None:
    with pytest.raises(CatalogueError, match="names for unknown objects"):
        generate(operation("get_a", response=fields("x")), names=names)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ('[[correction]]\noperation = "shop.get_a"\n', "no reason"),
        ('[[correction]]\noperation = "shop.get_b"\nreason = "x"\n', "unknown operations"),
    ],
)
def test_corrections_need_a_reason_and_an_operation(
    generate: Generate, overrides: str, reason: str
) -> None:
    with pytest.raises(CatalogueError, match=reason):
        generate(operation("get_a", response=fields("x")), overrides=overrides)


def test_an_optional_list_can_be_declared_dangerous_when_empty(generate: Generate) -> None:
    """An empty list that the service takes for everything is rejected, and the docs say so."""
    ids = {"type": "array", "items": {"type": "string"}}
    one = operation("cancel_a", effect="write", body={"ids": ids})
    correction = '[[correction]]\noperation = "shop.cancel_a"\nreason = "x"\nrefuse_empty = {}\n'
    resource = generate(one, overrides=correction.format('["body.ids"]'))["resources/shop.py"]
    assert 'refuse_empty=frozenset({"body.ids"}),' in resource
    assert "ids: An empty list is rejected." in resource
    for wrong in ("body.id", "query.ids"):
        with pytest.raises(CatalogueError, match=wrong):
            generate(one, overrides=correction.format(f'["{wrong}"]'))


def test_a_format_that_the_documents_show_by_example_can_be_added(generate: Generate) -> None:
    fact = """
    correction = []
    [[fact]]
    group = "shop"
    type = "integer"
    fields = ["since"]
    format = "unix-seconds"
    reason = "{}"
    """
    one = operation("get_a", query={"since": {"type": "integer"}, "size": {"type": "integer"}})
    resource = generate(one, overrides=fact.format("The example is."))["resources/shop.py"]
    assert '"query.since": Time.SECONDS' in resource
    assert '"query.size": int' in resource
    for wrong in (fact.format(""), fact.format("x").replace("since", "until")):
        with pytest.raises(CatalogueError, match="a fact has no effect or no reason"):
            generate(one, overrides=wrong)


def test_kinds_of_arguments_are_written_as_types(generate: Generate) -> None:
    one = operation(
        "get_a",
        body={
            "text": {"type": "string"},
            "until": {"type": "string", "format": "unix-seconds"},
            "day": {"type": "string", "format": "date"},
            "flags": {"type": "array", "items": {"type": "boolean"}},
            "free": {"type": "object", "fields": {}},
            "deep": objects({"list": objects(fields("id"))}),
        },
    )
    resource = generate(one)["resources/shop.py"]
    for expected in (
        '"body.text": str',
        '"body.until": Time.SECONDS_AS_TEXT',
        '"body.day": Time.DATE',
        '"body.flags": [bool]',
        '"body.free": {}',
        '"body.deep": [{"list": [{"id": str}]}]',
    ):
        assert expected in resource


def test_locked_names_stay_when_more_operations_come(generate: Generate, tmp_path: Path) -> None:
    parts = fields("id", "name", "size")
    first = operation("get_a", response={"big_boxes": objects(parts)})
    files = generate(first)
    (tmp_path / "catalogue" / "catalogue.lock").write_text(files["catalogue/catalogue.lock"])
    others = [operation(f"get_{name}", response={"boxes": objects(parts)}) for name in "bcd"]
    assert "class BigBox:" in generate(first, *others)["models/shop/big_box.py"]


def test_odd_names_are_clean_in_python_and_exact_on_the_wire(generate: Generate) -> None:
    files = generate(
        operation(
            "get_report",
            query=fields("from", "type"),
            body={"filter": {"type": "object", "fields": fields("class", "default_RP")}},
            response=fields("24h_live_gmv"),
        )
    )
    resource = files["resources/shop.py"]
    assert "from_: str | None = None" in resource
    assert 'query={"from": from_, "type": type}' in resource
    answer, request = files["models/shop/get_report.py"], files["models/shop/get_report_input.py"]
    assert 'live_gmv_24h: str | None = wire_name("24h_live_gmv", default=None)' in answer
    assert 'class_: str | None = wire_name("class", default=None)' in request
    assert 'default_rp: str | None = wire_name("default_RP", default=None)' in request


def test_methods_say_what_versions_units_and_limits_there_are(generate: Generate) -> None:
    new = {"type": "string", "versions": ["202602"]}
    files = generate(
        operation(
            "search_things",
            versions=["202309", "202602"],
            docs={"202602": "search-things-202602"},
            query={
                "page_size": {"type": "integer", "required": True, "minimum": 1, "maximum": 50},
                "since": {"type": "integer", "format": "unix-milliseconds"},
            },
            body={
                "note": new,
                "skus": objects(fields(hint=new)),
                "kind": {"type": "string", "enum": ["A", "B"]},
            },
        )
    )  # fmt: skip
    resource = files["resources/shop.py"]
    for expected in (
        "page_size: int,",
        "since: int | datetime | None = None",
        'kind: Literal["A", "B"] | str | None = None',
        "page_size: From 1 to 50.",
        "since: Unix milliseconds.",
        "note: Only in version 202602.",
        "Versions: 202309, 202602 (default).",
        "Source: https://partner.tiktokshop.com/docv2/page/search-things-202602",
        'only_in={"body.note": ("202602",), "body.skus.hint": ("202602",)},',
        '"query.since": Time.MILLISECONDS,',
        '"body.skus": [{"hint": str}],',
        'required=frozenset({"query.page_size"}),',
    ):
        assert expected in resource


def test_inputs_have_required_fields_and_share_a_class_only_if_they_may(generate: Generate) -> None:
    price = {"type": "object", "fields": fields("amount", "unit", "tax")}
    need = {"id": {"type": "string", "required": True}, "count": {"type": "integer"}}
    files = generate(
        operation(
            "create_thing",
            body={"skus": objects(need), "price": price},
            response={"skus": objects(fields("id", count={"type": "integer"})), "price": price},
        )
    )  # fmt: skip
    request, resource = files["models/shop/create_thing_input.py"], files["resources/shop.py"]
    assert "class SkuInput:" in request
    assert "    id: str\n    count: int | None = None" in request
    assert "skus: Sequence[SkuInput | Mapping[str, Any]] | None = None" in resource
    assert "price: Price | Mapping[str, Any] | None = None" in resource
    assert "class Price:" in files["models/shop/price.py"]


def test_secrets_in_answers_do_not_show(generate: Generate) -> None:
    files = generate(
        operation("get_shops", response={"shops": objects(fields("id", "cipher", "x"))})
    )
    assert (
        "cipher: str | None = attrs.field(default=None, repr=False)"
        in files["models/shop/get_shops.py"]
    )


def test_a_missing_summary_and_an_unknown_argument_are_found(
    generate: Generate, tmp_path: Path
) -> None:
    generate(operation("get_a"))
    page = tmp_path / "catalogue" / "wording" / "shop.toml"
    page.write_text('group = "A shop."\n')
    with pytest.raises(CatalogueError, match="get_a"):
        generator.generate()
    page.write_text(
        'group = "A shop."\n[operations.get_a]\nsummary = "Get."\narguments = { nothing = "x" }\n'
    )
    with pytest.raises(CatalogueError, match="unknown arguments: nothing"):
        generator.generate()


def test_docstrings_have_the_sections_that_apply(generate: Generate, tmp_path: Path) -> None:
    """A write without data, one with a key, and one whose outcome must be checked by hand."""
    cancel, pay, send = (
        operation("cancel_a", effect="write", body=fields("id")),
        operation(
            "pay_a", effect="write", idempotency_key="query", query=fields("idempotency_key")
        ),
        operation("send_a", effect="write", response=fields("x")),
    )
    generate(cancel, pay, send)
    (tmp_path / "catalogue" / "wording" / "shop.toml").write_text(
        'group = "A shop."\n'
        '[operations.cancel_a]\nsummary = "Cancel it."\nnotes = "It stops."\n'
        'arguments = { id = "The id." }\n'
        '[operations.pay_a]\nsummary = "Pay it."\n'
        '[operations.send_a]\nsummary = "Send it."\nreturns = "The message."\n'
        'unknown_outcome = "Check the chat before you retry."\n'
    )
    resource = generator.generate()[generator.PACKAGE / "resources" / "shop.py"]
    indent = " " * 8
    for expected in (
        (
            "Cancel it.\n\nIt stops.\n\nArgs:\n    id: The id.\n\n"
            "Returns:\n    An `APIResponse` whose data has no fields.\n\nSource: "
        ),
        (
            "Raises:\n    OutcomeUnknownError: The write may have been processed. Retry it with "
            "the\n        `idempotency_key` of the error: the service processes it only once.\n"
        ),
        (
            "Returns:\n    The message.\n\n"
            "Raises:\n    OutcomeUnknownError: Check the chat before you retry.\n"
        ),
    ):
        assert re.sub("(?m)^(?=.)", indent, expected).removeprefix(indent) in resource
    assert "A write that may have been processed raises `OutcomeUnknownError`" in resource
    assert "idempotency_key: Unique key of this write." in resource


@pytest.mark.parametrize(
    ("wording", "reason"),
    [
        ('[operations.get_a]\nsummary = "Get it."\nunknown_outcome = "x"', "unknown_outcome"),
        ('[operations.get_a]\nsummary = "Get it."\nreturn = "x"', "the key return of get_a"),
        ('[operations.get_a]\nsummary = "Get it."\n[models.C]\ndoc = "x"', "models or fields: C"),
    ],
)
def test_wording_that_applies_to_nothing_is_found(
    generate: Generate, tmp_path: Path, wording: str, reason: str
) -> None:
    generate(operation("get_a"), operation("get_b", response=fields("x")))
    more = '[operations.get_b]\nsummary = "Get the other."\n'
    page = f'group = "A shop."\n{more}{wording}\n'
    (tmp_path / "catalogue" / "wording" / "shop.toml").write_text(page)
    with pytest.raises(CatalogueError, match=reason):
        generator.generate()


def test_an_argument_in_two_locations_has_the_versions_of_both(generate: Generate) -> None:
    def docs(query: list[str], body: list[str]) -> str:
        one = operation(
            "get_a",
            versions=["202309", "202312", "202502"],
            query={"tree": {"type": "string", "versions": query}},
            body={"tree": {"type": "string", "versions": body}},
        )
        return generate(one)["resources/shop.py"]

    resource = docs(["202309"], ["202312", "202502"])
    assert "Only in version" not in resource
    assert '"query.tree": ("202309",)' in resource
    assert "tree: Only in versions 202309, 202502." in docs(["202309"], ["202502"])


def test_modules_of_models_are_titled_by_what_uses_them(generate: Generate) -> None:
    box = fields("id", "size", "weight")
    files = generate(
        operation("get_a", response={"boxes": objects(box), "lid": objects(fields("x", "y", "z"))}),
        operation("set_b", body={"boxes": objects(box), "cord": objects(fields("p", "q", "r"))}),
        operation("set_c", body={"bags": objects(fields("k", "l", "m"))}),
        operation("set_d", body={"bags": objects(fields("k", "l", "m"))}),
    )
    titles = {
        name: files[f"models/shop/{name}.py"].partition("\n")[0].strip('"')
        for name in ("get_a", "set_b_input", "box", "bag")
    }
    assert titles == {
        "get_a": "The response data of ``shop.get_a``.",
        "set_b_input": "The input models of ``shop.set_b``.",
        "box": "The model ``Box``, shared by several operations.",
        "bag": "The model ``Bag``, shared by several operations.",
    }
    assert '"""A lid in an `A`."""' in files["models/shop/get_a.py"]
    assert '"""A bag in requests of `set_c` and `set_d`."""' in files["models/shop/bag.py"]


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("line_items", "line_item"), ("addresses", "address"), ("statuses", "status"),
        ("categories", "category"), ("sku_list", "sku"), ("skus", "sku"), ("series", "series"),
        ("boxes", "box"), ("batches", "batch"), ("warehouses", "warehouse"), ("bus", "bus"),
    ],
)  # fmt: skip
def test_plurals_become_singular(plural: str, expected: str) -> None:
    assert text.singular(plural) == expected


@pytest.mark.parametrize("summary", ["", "Get a.", "get a"])
def test_a_summary_must_say_more_than_the_name(
    generate: Generate, tmp_path: Path, summary: str
) -> None:
    generate(operation("get_a"))
    said = f'group = "A shop."\n[operations.get_a]\nsummary = "{summary}"\n'
    (tmp_path / "catalogue" / "wording" / "shop.toml").write_text(said)
    with pytest.raises(CatalogueError, match="the summary of get_a is missing"):
        generator.generate()


def test_facts_in_doubt_are_left_out_and_an_idle_doubt_is_found(generate: Generate) -> None:
    text = {"type": "string", "max_length": 10}
    doubt = """
correction = []
[[doubt]]
group = "shop"
fields = ["note"]
fact = "max_length"
reason = "Misread."
"""
    one = operation("set_a", body={"note": text, "name": text})
    resource = generate(one, overrides=doubt)["resources/shop.py"]
    assert "name: At most 10 characters." in resource
    assert "note: At most 10 characters." not in resource
    with pytest.raises(CatalogueError, match="no effect"):
        generate(one, overrides=doubt.replace('"note"', '"nothing"'))


def test_fields_keep_the_order_of_the_documents_lists_first(generate: Generate) -> None:
    paged = {"token_in": "query", "next": "next_page_token", "items": ["orders"]}
    files = generate(
        operation("get_order", response={"orders": objects(fields("note", "id", "zip"))}),
        operation(
            "list_orders",
            pagination=paged,
            response=fields("next_page_token", orders=objects(fields("zip", "id", "city"))),
        ),
    )
    order = files["models/shop/order.py"]
    names = re.findall(r"^    (\w+): str", order, re.MULTILINE)
    assert names == ["zip", "id", "city", "note"]


def test_check_finds_stale_and_obsolete_files(
    generate: Generate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = generate(operation("get_a", response=fields("x")))
    (tmp_path / "catalogue" / "catalogue.lock").write_text(files["catalogue/catalogue.lock"])
    monkeypatch.setattr("sys.argv", ["codegen", "--check"])
    assert generator.main() == 0
    models = tmp_path / generator.PACKAGE / "models" / "shop"
    (models / "gone.py").write_text((models / "get_a.py").read_text())
    (models / "get_a.py").write_text("edited by hand")
    assert generator.main() == 1
    assert [line for line in capsys.readouterr().out.splitlines() if "stale" in line] == [
        f"stale: {generator.PACKAGE}/models/shop/get_a.py",
        f"stale: {generator.PACKAGE}/models/shop/gone.py",
    ]
    monkeypatch.setattr("sys.argv", ["codegen"])
    assert generator.main() == 0
    monkeypatch.setattr("sys.argv", ["codegen", "--check"])
    assert generator.main() == 0


def events(tmp_path: Path, summary: str) -> None:
    """Put two events into the catalogue."""
    home = tmp_path / "catalogue"
    facts = [
        {"type": 7, "name": "thing_moved", "event_type": "THING_MOVED"},
        {"type": 5, "name": "parcel_list", "event_type": None},
    ]
    data = fields("from", "status", parcels=objects(fields("id", "weight", "size")))
    webhooks = [{**each, "envelope": [], "data": data} for each in facts]
    (home / "webhooks.json").write_text(json.dumps({"webhooks": webhooks}))
    (home / "wording" / "webhook.toml").write_text(
        'group = "Events."\n[operations.thing_moved]\nsummary = "A thing is elsewhere now."\n'
        f'[operations.parcel_list]\nsummary = "{summary}"\n'
        '[models.ThingMovedData.fields]\nstatus = "Where it is."\n'
    )


def test_events_are_classes_with_data_of_their_own(generate: Generate, tmp_path: Path) -> None:
    """By number; what two of them have in common is one class in a module of its own."""
    events(tmp_path, "Parcels are listed.")
    files = generate(operation("get_a"))
    moved, package = (files[f"webhooks/events/{name}.py"] for name in ("thing_moved", "__init__"))
    assert "class ThingMoved(WebhookEvent):" in moved
    assert '"""A thing is elsewhere now.' in moved
    assert "TYPE: ClassVar[int | None] = 7" in moved
    assert 'EVENT_TYPE: ClassVar[str | None] = "THING_MOVED"' in moved
    assert 'from_: str | None = wire_name("from", default=None)' in moved
    assert '"""Where it is."""' in moved
    assert "from .parcel import Parcel" in moved
    assert "EVENT_TYPE" not in files["webhooks/events/parcel_list.py"]
    assert "class Parcel:" in files["webhooks/events/parcel.py"]
    assert package.index('5: "ParcelList"') < package.index('7: "ThingMoved"')
    assert '"ThingMovedData"' in files["catalogue/catalogue.lock"]
    assert files == generate(operation("get_a"))


def test_webhooks_export_each_event_beside_what_is_written_by_hand(
    generate: Generate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A new event needs no edit, and an edit by hand is found."""
    events(tmp_path, "Parcels are listed.")
    files = generate(operation("get_a"))
    (tmp_path / "catalogue" / "catalogue.lock").write_text(files["catalogue/catalogue.lock"])
    package = tmp_path / generator.PACKAGE / "webhooks" / "__init__.py"
    text = package.read_text()
    assert "    from .events import ParcelList, ThingMoved\n" in text
    for name in ("ParcelList", "ThingMoved", "WebhookReceiver", "ensure_webhooks"):
        assert f'        "{name}",\n' in text
    assert '    "WebhookReceiver": "receiving.receiver",\n' in text
    monkeypatch.setattr("sys.argv", ["codegen", "--check"])
    assert generator.main() == 0
    package.write_text(text.replace('"WebhookReceiver",', '"Receiver",'))
    assert generator.main() == 1
    assert capsys.readouterr().out.strip() == f"stale: {package.relative_to(tmp_path)}"


def test_an_event_needs_a_sentence(generate: Generate, tmp_path: Path) -> None:
    events(tmp_path, "Parcel list")
    with pytest.raises(CatalogueError, match="parcel_list"):
        generate(operation("get_a"))
