"""Personal data and secrets: the names of fields that hold them, and how objects are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import attrs


def names_of(*lines: str) -> frozenset[str]:
    """Return the words of all ``lines``."""
    return frozenset(name for line in lines for name in line.split())


SECRET_FIELDS = names_of(
    "access_token app_secret auth_code category_asset_cipher cipher payment_auth_code",
    "refresh_token shop_cipher sign token tokenized_email upload_token verification_code",
)
"""Names of secrets."""

PERSONAL_FIELDS = names_of(
    # people
    "avatar avatar_url buyer_avatar buyer_email buyer_emails buyer_nickname consignee contact_info",
    "contact_name contact_person cpf cpf_name customer_name email first_name",
    "first_name_local_script full_name last_name last_name_local_script logistics_picker_name",
    "logistics_picker_phone middle_name nick_name nickname phone phone_number phone_tail_number",
    "receiver_contact reviewer_display_name seller_contact_info seller_name sender_contact",
    "user_name username warehouse_contact",
    "line local_number tax_number tax_numbers telegram tokenized_email viber whatsapp zalo",
    # places
    "address address_detail address_line1 address_line2 address_line3 address_line4",
    "address_line_1 address_line_2 address_line_3 address_line_4 addresses city city_name",
    "delivery_address district district_info district_name district_or_county full_address",
    "latitude location longitude postal_code postcode recipient_address return_warehouse_address",
    "sender_address standardized_address street street2 street_address_line1",
    "street_address_line2 town town_name zip_code zipcode",
    "address_name drop_off_location post_town",
    # what they wrote, and documents about them
    "buyer_comments buyer_message buyer_note content custom_message doc_url document_url",
    "download_url file_url message_body note proof_url return_qr_code review_text upload_url",
)
"""Names of fields that identify a person, or that hold text which a person wrote."""

_WRITTEN = names_of("content custom_message message_body note")
"""Personal where they hold text; their objects have fields of their own."""
_OF_SOMEBODY = names_of("detail name")
"""Personal in an object that is about a person or an address, not in a product."""
_ABOUT_SOMEBODY = names_of(
    "address_detail address_line1 address_line_1 contact_person email first_name full_address",
    "phone phone_number postal_code zipcode",
)
"""Names that only such an object has."""

_MAX_DEPTH = 20
_is_shown: ContextVar[bool] = ContextVar("personal data is shown", default=False)


class _Placeholder:
    """A placeholder for a value that is not shown."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_MASKED: Final = _Placeholder("***")
_DEEPER: Final = _Placeholder("…")


@contextmanager
def show_personal_data() -> Iterator[None]:
    """Show personal data in the `repr` of models, events and responses, until the block ends.

    It holds for the task or thread that enters the block. Attributes, ``raw`` and ``json()`` have
    the data at any time.
    """
    reset = _is_shown.set(True)
    try:
        yield
    finally:
        _is_shown.reset(reset)


def fields_shown(instance: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an attrs object that are set, with secrets and personal data masked."""
    kind = type(instance)
    hidden = _hidden_in(kind)
    for field in attrs.fields(kind):
        value = getattr(instance, field.name) if field.repr else None
        if value is not None and value != []:
            yield field.name, _masked(value, field.name, hidden)


def presented(value: Any, depth: int = 0) -> Any:
    """Return plain values with secrets and personal data masked; models mask their own."""
    if not isinstance(value, (dict, list)):
        return value
    if depth > _MAX_DEPTH:
        return _DEEPER
    if isinstance(value, list):
        return [presented(item, depth + 1) for item in value]
    hidden = _hidden_among(value)
    return {key: _masked(item, key, hidden, depth + 1) for key, item in value.items()}


def shown(value: Any) -> str:
    """Return the `repr` of a value without secrets and, unless asked for, personal data."""
    return repr(presented(value))


def _masked(value: Any, name: str, hidden: Collection[str], depth: int = 0) -> Any:
    if name in SECRET_FIELDS and isinstance(value, str) and value:
        return _MASKED
    if name not in hidden or isinstance(value, bool) or value in (None, "") or _is_shown.get():
        return presented(value, depth)
    if name in _WRITTEN and not isinstance(value, (str, int, float)):
        return presented(value, depth)
    return _MASKED


_hidden: dict[type[Any], frozenset[str]] = {}


def _hidden_in(kind: type[Any]) -> frozenset[str]:
    if kind not in _hidden:
        names = {field.name for field in attrs.fields(kind)}
        _hidden[kind] = _hidden_among(names, is_about_somebody="Address" in kind.__name__)
    return _hidden[kind]


def _hidden_among(names: Collection[Any], *, is_about_somebody: bool = False) -> frozenset[str]:
    if is_about_somebody or not _ABOUT_SOMEBODY.isdisjoint(names):
        return PERSONAL_FIELDS | _OF_SOMEBODY
    return PERSONAL_FIELDS
