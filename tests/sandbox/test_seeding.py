"""The orders that a shop begins with."""

from __future__ import annotations

from collections import Counter

from sandbox.wire import NOW

from tiktok_shop_async.sandbox.domain.seeding import STATUS_WEIGHTS, make_orders
from tiktok_shop_async.sandbox.domain.shop import Shop
from tiktok_shop_async.sandbox.handlers.order_documents import order_document

SHOP = Shop(id="1", name="A shop", cipher="C", clock=lambda: NOW)


def documents(seed: int, now: int = NOW) -> list[dict[str, object]]:
    return [order_document(order, SHOP) for order in make_orders(50, seed=seed, now=now)]


def test_the_same_seed_gives_the_same_orders() -> None:
    assert documents(1) == documents(1)
    assert documents(1) != documents(2)


def test_another_time_moves_the_orders_and_changes_nothing_else() -> None:
    for old, new in zip(documents(1), documents(1, NOW + 100), strict=True):
        shift = {
            name: value + 100
            for name, value in old.items()
            if name.endswith("_time") and isinstance(value, int)
        }
        assert new == {**old, **shift}


def test_ids_are_unique_and_orders_come_oldest_first() -> None:
    orders = list(make_orders(3000, seed=3, now=NOW))
    line_ids = [line.id for order in orders for line in order.lines]
    order_ids = [order.id for order in orders]
    assert len({*order_ids, *line_ids}) == len(order_ids) + len(line_ids)
    times = [order.create_time for order in orders]
    assert times == sorted(times)
    assert times[-1] <= NOW


def test_all_states_are_there_in_their_shares() -> None:
    counts = Counter(order.status for order in make_orders(5000, seed=4, now=NOW))
    for status, percent in STATUS_WEIGHTS.items():
        assert abs(counts[status] / 50 - percent) < 3


def test_nothing_is_updated_before_it_was_created_or_in_the_future() -> None:
    for seed in range(20):
        shop = Shop(id="1", name="A shop", cipher="C", clock=lambda: NOW)
        shop.add_orders(make_orders(300, seed=seed, now=NOW))
        for order in shop.orders.values():
            document = order_document(order, shop)
            assert order.create_time <= order.update_time <= NOW
            for name, value in document.items():
                if name.endswith("_time") and isinstance(value, int):
                    assert order.create_time <= value <= NOW, name
            for package in order.packages:
                assert order.create_time <= package.create_time <= package.update_time <= NOW
