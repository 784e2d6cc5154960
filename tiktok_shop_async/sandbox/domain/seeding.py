"""Seed data: orders in mixed states and products, the same for the same seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random

from .aftersales.reasons import UNPAID_TOO_LONG
from .entities.orders import SUCCESS, SYSTEM_ROLE, Buyer, Cancellation, LineItem, Order, Sku
from .entities.products import Product, StockedSku
from .orders.shop_settings import Spans

STATUS_WEIGHTS = {
    "AWAITING_SHIPMENT": 62,
    "ON_HOLD": 12,
    "UNPAID": 8,
    "AWAITING_COLLECTION": 4,
    "IN_TRANSIT": 5,
    "DELIVERED": 3,
    "COMPLETED": 4,
    "CANCELLED": 2,
}
"""Status -> its share of all orders in percent."""

_AGES = {
    "UNPAID": (0, 1800),
    "ON_HOLD": (60, 3600),
    "AWAITING_SHIPMENT": (3600, 2 * 86400),
    "AWAITING_COLLECTION": (86400, 3 * 86400),
    "IN_TRANSIT": (2 * 86400, 6 * 86400),
    "DELIVERED": (5 * 86400, 9 * 86400),
    "COMPLETED": (14 * 86400, 60 * 86400),
    "CANCELLED": (86400, 30 * 86400),
}
"""Status -> minimum and maximum age of such an order in seconds."""

_PRODUCTS = {
    "Linen Overshirt": ("3900", ("Sand, S", "Sand, M", "Navy, L")),
    "Ceramic Pour-Over Set": ("2450", ("White", "Charcoal")),
    "Recycled Wool Beanie": ("1899", ("Moss", "Rust", "Oat")),
    "Bamboo Desk Organizer": ("2999", ("One size",)),
    "Hydrating Face Mist": ("1275", ("50 ml", "100 ml")),
    "Trail Running Socks, 3 pairs": ("1650", ("S/M", "L/XL")),
    "Cast Iron Skillet": ("4425", ("8 inch", "10 inch")),
    "Dotted Notebook A5": ("990", ("Teal", "Clay", "Ink")),
}
_FIRST_NAMES = ("Ada", "Grace", "Linus", "Mei", "Omar", "Priya", "Sofia", "Tomas", "Yuki", "Zora")
_LAST_NAMES = ("Abbott", "Chen", "Diaz", "Evans", "Haddad", "Kim", "Novak", "Okafor", "Rossi")
_CITIES = (("San Jose", "95110"), ("Austin", "78701"), ("Denver", "80202"), ("Tacoma", "98402"))
_MESSAGES = ("", "", "", "Please ship asap!", "Leave it with the neighbour, thanks", "It's a gift")


def make_orders(count: int, *, seed: int, now: int) -> Iterator[Order]:
    """Yield ``count`` orders, oldest first, that depend only on the seed and the time."""
    random = Random(seed)  # noqa: S311  nothing secret
    skus = _make_skus()
    statuses = random.choices(list(STATUS_WEIGHTS), weights=list(STATUS_WEIGHTS.values()), k=count)
    aged = sorted(((random.randint(*_AGES[status]), status) for status in statuses), reverse=True)
    for number, (age, status) in enumerate(aged):
        order = _make_order(random, number, status, now - age, skus)
        order.update_time = min(order.update_time, now)
        yield order


def make_products(*, now: int) -> Iterator[Product]:
    """Yield the products whose SKUs are in the orders; their quantities exclude what was bought."""
    skus_by_product: dict[str, dict[str, StockedSku]] = defaultdict(dict)
    for number, sku in enumerate(_make_skus()):
        stocked = StockedSku(sku, sku.price, quantity=20 + 7 * number % 60)
        skus_by_product[sku.product_id][sku.id] = stocked
    for number, (product_id, skus) in enumerate(skus_by_product.items()):
        created = now - (90 - number) * 86400
        yield Product(
            id=product_id,
            title=next(iter(skus.values())).sku.product_name,
            skus=skus,
            create_time=created,
            update_time=created,
        )


def _make_skus() -> list[Sku]:
    skus = []
    for number, (name, (price, variants)) in enumerate(_PRODUCTS.items(), 1):
        for position, variant in enumerate(variants, 1):
            skus.append(
                Sku(
                    id=f"2729382476852{number:03}{position:03}",
                    product_id=f"1729582718312380{number:03}",
                    product_name=name,
                    name=variant,
                    seller_sku=f"{name.split()[0][:3].upper()}-{number:02}{position:02}",
                    price=int(price),
                )
            )
    return skus


def _make_order(
    random: Random, number: int, status: str, create_time: int, skus: list[Sku]
) -> Order:
    # Order ids have gaps for the ids of the line items.
    order_id = 576_461_413_000_000_000 + number * 1_000_000 + random.randrange(1_000) * 100
    bought = random.choices(skus, k=random.choices((1, 2, 3, 4), weights=(60, 25, 10, 5))[0])
    sub_total = sum(sku.price for sku in bought)
    order = Order(
        id=str(order_id),
        status=status,
        buyer=_make_buyer(random),
        lines=[LineItem(str(order_id + position), sku) for position, sku in enumerate(bought, 1)],
        create_time=create_time,
        update_time=create_time if status == "UNPAID" else create_time + random.randint(5, 600),
        shipping_fee=random.choice((0, 399, 599)),
        tax=round(sub_total * 0.0825),
        buyer_message=random.choice(_MESSAGES),
        shipping_type=random.choice(("TIKTOK", "TIKTOK", "TIKTOK", "SELLER")),
    )
    if status == "CANCELLED":
        _cancel_by_system(order)
    return order


def _make_buyer(random: Random) -> Buyer:
    first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    city, postal_code = random.choice(_CITIES)
    mailbox = f"{random.randrange(16**6):06x}"
    return Buyer(
        user_id=str(7_021_436_810_000_000_000 + random.randrange(10**9)),
        email=f"{mailbox}@chat.seller.example",
        first_name=first,
        last_name=last,
        phone_number=f"(+1){random.randint(200, 989)}-***-{random.randrange(10_000):04}",
        address_line=f"{random.randint(1, 9900)} {random.choice(_LAST_NAMES)} Street",
        city=city,
        postal_code=postal_code,
    )


def _cancel_by_system(order: Order) -> None:
    order.update_time = order.create_time + int(Spans().payment_seconds)
    cancellation = Cancellation(
        id=str(int(order.id) + 3_458_857_000_000_000_000),
        order=order,
        lines=order.lines,
        reason=UNPAID_TOO_LONG,
        role=SYSTEM_ROLE,
        status=SUCCESS,
        create_time=order.update_time,
        update_time=order.update_time,
    )
    order.cancellations.append(cancellation)
    for line in order.lines:
        line.cancellation, line.paid = cancellation, False
