"""npm's tiktok-shop 2.0.0, unchanged: where its signatures are right, and where they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from foreign.peers import Outcome, TikTokShopSigner
from foreign.signed import signed_and_sent, url_of
from helpers.catalogue import operations
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tiktok_shop_async.pipeline.signing import signature
from tiktok_shop_async.sandbox import Sandbox

drawn = settings(max_examples=60)

SECRET = "e59af819cc"
APP = {"appKey": "29a39d", "appSecret": SECRET}

# Any text that UTF-8 can carry.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(["ids", "page_size", "page_token", "shop_cipher", "shop_id", "sort_field"])
CUT_AT = "&=?"
"""What it takes for the URL's own, although it was percent-encoded."""
LINE_BREAKS = "\n\r\u2028\u2029"
"""What it does not look beyond for the end of the path; no identifier has them."""


def read_whole(text: str) -> bool:
    return not any(mark in text for mark in CUT_AT)


QUERIES = st.dictionaries(NAMES, TEXTS.filter(read_whole), max_size=5)
# No number beyond what JavaScript can hold, and no name that it would sort as one.
BODIES = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)
PATHS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=CUT_AT + LINE_BREAKS), max_size=12
).map("/product/202309/products/{}".format)


@pytest.fixture(scope="module")
def signer() -> Iterator[TikTokShopSigner]:
    with TikTokShopSigner() as signer:
        yield signer


def signed_by_both(
    signer: TikTokShopSigner, path: str, query: dict[str, str], text: str = ""
) -> tuple[str, str]:
    """Return its signature of a request and ours, of the same decoded path, query and body."""
    query = {"app_key": "29a39d", "timestamp": "1623812664", **query}
    arguments = (url_of(path, query), *([text] if text else []))
    outcome = signer.call("signByUrl", *arguments, config=APP)
    theirs: str = outcome["answer"]["signature"]
    return theirs, signature(SECRET, path, query.items(), text.encode())


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_it_signs_the_published_vector(signer: TikTokShopSigner) -> None:
    theirs, ours = signed_by_both(signer, "/authorization/202309/shops", {})
    assert theirs == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8" == ours


@drawn
@given(path=PATHS, query=QUERIES)
def test_it_signs_paths_and_queries_as_we_do(
    signer: TikTokShopSigner, path: str, query: dict[str, str]
) -> None:
    theirs, ours = signed_by_both(signer, path, query)
    assert theirs == ours


@drawn
@given(query=QUERIES, body=BODIES)
def test_it_signs_compact_json_as_we_do(
    signer: TikTokShopSigner, query: dict[str, str], body: dict[str, Any]
) -> None:
    """Whatever the method is: it knows none, so a GET with a body is signed alike."""
    theirs, ours = signed_by_both(signer, "/order/202309/orders/search", query, compact(body))
    assert theirs == ours


def test_it_sorts_all_documented_parameters_as_we_do(signer: TikTokShopSigner) -> None:
    """Although it compares them as words of a language, where we compare code points."""
    names = {name for each in operations().values() for name in each["query"]}
    assert len(names) > 50
    theirs, ours = signed_by_both(signer, "/order/202309/orders", dict.fromkeys(names, "x"))
    assert theirs == ours


@pytest.mark.parametrize("names", [("a1", "a_b"), ("B", "a")])
def test_it_sorts_other_names_as_words(signer: TikTokShopSigner, names: tuple[str, str]) -> None:
    """Of the order the page says no more than alphabetical; no documented name shows it."""
    theirs, ours = signed_by_both(signer, "/order/202309/orders", dict.fromkeys(names, "x"))
    assert theirs != ours


@drawn
@given(name=NAMES, value=TEXTS, mark=st.sampled_from(CUT_AT))
def test_it_splits_the_url_after_decoding_it(
    signer: TikTokShopSigner, name: str, value: str, mark: str
) -> None:
    """Parameters are signed decoded (page sign-your-api-request), so as page tokens they end in =.

    What was percent-encoded, to belong to a value, ends the value for it.
    """
    theirs, ours = signed_by_both(signer, "/order/202309/orders", {name: value + mark})
    assert theirs != ours


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "an empty object is left out"),
        ("[]", "an empty list is left out"),
        ('{"a": 1}', "white space is left out"),
        ('{"a":"\\u00e9"}', "escapes are resolved"),
        ('{"a":1.0}', "numbers are written anew"),
        ('{"a":12345678901234567891}', "integers beyond 2**53 are rounded"),
        ('{"b":1,"1":2}', "names of digits are put first"),
        ('{"a":1,"a":2}', "of a name that is repeated the last is kept"),
    ],
)
def test_it_signs_a_body_anew_and_not_its_bytes(
    signer: TikTokShopSigner, text: str, reason: str
) -> None:
    """The exact bytes of the body belong to the signature (page sign-your-api-request)."""
    theirs, ours = signed_by_both(signer, "/order/202309/orders/search", {}, text)
    assert theirs != ours, reason


@drawn
@given(query=st.dictionaries(NAMES, TEXTS.filter(lambda text: "%" not in text), max_size=3))
def test_signing_by_path_adds_a_version_that_has_to_be_sent(
    signer: TikTokShopSigner, query: dict[str, str]
) -> None:
    """Paths have the version in them; the parameter ``version`` is of before 202309."""
    assume(all(read_whole(value) for value in query.values()))
    outcome = signer.call("sign", "/order/202309/orders", query, config=APP)
    timestamp = str(outcome["answer"]["timestamp"])
    sent = {"app_key": "29a39d", "timestamp": timestamp, **query}
    theirs = outcome["answer"]["signature"]
    with_version = {**sent, "version": "202212"}
    assert theirs == signature(SECRET, "/order/202309/orders", with_version.items())
    assert theirs != signature(SECRET, "/order/202309/orders", sent.items())


def test_signing_by_path_decodes_what_is_not_encoded(signer: TikTokShopSigner) -> None:
    assert signer.call("sign", "/p", {"keyword": "50%"}, config=APP) == {"message": "URI malformed"}


def test_its_functions_sign_as_its_methods_do(signer: TikTokShopSigner) -> None:
    url = url_of("/order/202309/orders", {"app_key": "29a39d", "timestamp": "1623812664"})
    body = {"order_status": "UNPAID"}
    config = {"app_key": "29a39d", "app_secret": SECRET, "timestamp": 1623812664}
    pairs = [
        (
            signer.call("signByUrl", url, SECRET, body),
            signer.call("signByUrl", url, body, config=APP),
        ),
        (
            signer.call("signature", config, "/order/202309/orders"),
            signer.call("sign", "/order/202309/orders", {"timestamp": 1623812664}, config=APP),
        ),
    ]
    for function, method in pairs:
        assert function["answer"] == method["answer"]
    assert signer.call("signByUrl", url, "") == {"message": "appSecret is required"}


async def test_what_it_signs_is_admitted(shop: Sandbox, waiting: list[str]) -> None:
    """Its timestamp of 100 seconds ago is one of the last 5 minutes."""
    product_id = next(iter(shop.shop.stock.products))
    cancellation = {
        "order_id": waiting[0],
        "cancel_reason": "seller_cancel_reason_out_of_stock",
    }
    envelopes = [
        await signed_and_sent(shop, "GET", f"/order/202309/orders?ids={'%2C'.join(waiting[:2])}"),
        await signed_and_sent(
            shop, "POST", "/return_refund/202309/cancellations", compact(cancellation)
        ),
        await signed_and_sent(
            shop, "DELETE", "/product/202309/products", compact({"product_ids": [product_id]})
        ),
        await signed_and_sent(
            shop, "GET", "/product/202309/brands?page_size=1&brand_name=%C3%B6%20%25%2B"
        ),
    ]
    assert [envelope["code"] for envelope in envelopes] == [0, 0, 0, 0]
    assert len(envelopes[0]["data"]["orders"]) == 2
    assert shop.shop.orders[waiting[0]].status == "CANCELLED"
    assert shop.shop.stock.products[product_id].status == "DELETED"


async def test_it_exchanges_a_code_and_refreshes(shop: Sandbox, authorization_code: str) -> None:
    exchanged, again, refreshed, replaced = await asyncio.to_thread(
        exchange_and_refresh, shop, authorization_code
    )
    assert exchanged["answer"]["code"] == 0
    assert again["answer"]["code"] == 36004004
    assert refreshed["answer"]["access_token"] in shop.market.tokens
    assert replaced["answer"]["code"] == 36004001


def exchange_and_refresh(shop: Sandbox, code: str) -> list[Outcome]:
    """Make token calls, each once by a method and once by a function."""
    app = {"app_key": shop.app_key, "app_secret": shop.app_secret}
    with TikTokShopSigner(shop.base_url) as signer:
        exchanged = signer.call("authCodeToken", code, config=app)
        refresh_token = exchanged["answer"]["data"]["refresh_token"]
        return [
            exchanged,
            signer.call("authCodeToken", app, code),
            signer.call("refreshToken", refresh_token, config=app),
            signer.call("generateToken", app, refresh_token),
        ]
