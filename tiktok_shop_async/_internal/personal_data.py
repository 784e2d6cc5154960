"""Personal data and secrets: the names of their fields, and the masking of their values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import attrs


def split_names(*lines: str) -> frozenset[str]:
    """Return the set of the words of all ``lines``."""
    return frozenset(name for line in lines for name in line.split())


SECRET_FIELDS = split_names(
    "access_token app_secret auth_code category_asset_cipher cipher payment_auth_code",
    "refresh_token shop_cipher sign token tokenized_email upload_token verification_code",
)
"""Names of fields that hold secrets."""

PERSONAL_FIELDS = split_names(
    # People.
    "avatar avatar_url buyer_avatar buyer_email buyer_emails buyer_nickname consignee contact_info",
    "contact_name contact_person cpf cpf_name customer_name email first_name",
    "first_name_local_script full_name last_name last_name_local_script logistics_picker_name",
    "logistics_picker_phone middle_name nick_name nickname phone phone_number",
    "phone_tail_number receiver_contact reviewer_display_name seller_contact_info seller_name",
    "sender_contact service_agent status_logs.operator user_name username warehouse_contact",
    "line local_number telegram tokenized_email viber whatsapp zalo",
    # Creators.
    "bio_description creator_content_statistics.source_url creator_name creator_nick_name",
    "creator_username linked_tiktok_video profile_tt_uri redirect_schema",
    "top_creators.creator_profile top_shoppable_video_links",
    # Businesses, which may belong to one person: names, numbers and accounts.
    "bank_account branch_number business_name channel_entity_national_registry_id company_name",
    "license_number manufacturer_name",
    "practice_license_number registered_trade_name rp_name tax_info tax_number tax_numbers",
    # Addresses.
    "address address_detail address_line1 address_line2 address_line3 address_line4",
    "address_line_1 address_line_2 address_line_3 address_line_4 addresses building city city_name",
    "cover_address_detail delivery_address distict district district_info district_name",
    "district_or_county full_address geolocation latitude location longitude postal_code postcode",
    "province province_name recipient_address return_warehouse_address sender_address",
    "shipping_origin_city standardized_address state_or_region street street2",
    "street_address_line1 street_address_line2 town town_name zip_code zipcode",
    "address_name drop_off_location post_town",
    # Texts that people wrote, and files about people.
    "base64 buyer_comments buyer_message buyer_note comment content custom_message doc_url",
    "document_url download_url file_url invoices.file message_body note plaintext pod_detail",
    "pod_info_json proof_url redeem_data reject_note remark return_qr_code review_text seller_note",
    "upload_url reason.media reason.text records.images records.videos review_records.image_uris",
    "review_records.title review_records.video_uris target_collaboration.message",
    "target_collaborations.message create_target_collaboration.message",
    "create_first_mile_bundle.url create_first_mile_bundle_v2.url",
    "update_prescription_status.rejection_reason upload_image_for_buyer_messages.url",
    "upload_message_image.url upload_message_image_v2.url upload_proof_of_delivery_file.name",
    "upload_proof_of_delivery_file.url upload_proof_of_delivery_image.url upload_review_media.uri",
    # Search terms for people.
    "query_creator_promotion_details_in_target_collaboration.query search_manufacturers.keyword",
    "search_creators_in_creator_marketplace.keyword search_param.keyword",
    "search_responsible_persons.keyword",
)
"""Fields that identify a person, or that hold text which a person wrote.

Each is a name, or ``parent.name`` if the name alone is not enough. The parent is the field that
holds the object; for an operation's arguments and the fields of its data, it is the operation.
"""

WRITTEN_FIELDS = split_names(
    "buyer_comments buyer_message buyer_note comment content custom_message message message_body",
    "note plaintext reject_note remark review_text seller_note text",
)
"""Names of personal fields that hold sentences rather than names."""

_NOT_PERSONAL = split_names(
    "origin_platform_category.full_name update_shop_webhook.address warehouse.name",
    "webhooks.address",
)
"""Fields that are not personal although their names are in `PERSONAL_FIELDS`."""
_PERSONAL_IF_TEXT = split_names("content custom_message message_body note")
"""Fields that are personal if they hold text; if they hold an object, its fields decide."""
_PERSONAL_IN_CONTACTS = split_names("detail name")
"""Fields that are personal in an object about a person or an address, but not in a product."""
_CONTACT_FIELDS = split_names(
    "address_detail address_line1 address_line_1 contact_person email first_name full_address",
    "phone phone_number postal_code practice_license_number zipcode",
)
"""Fields that only an object about a person or an address has."""


def select_personal(
    names: Collection[Any], parent: str, fields: Collection[str] = PERSONAL_FIELDS
) -> frozenset[Any]:
    """Return the names of an object's personal fields.

    Args:
        names: The names of all fields of the object.
        parent: The name of the field that holds the object, or of the operation.
        fields: The personal fields, in the form of `PERSONAL_FIELDS`.
    """
    is_contact = any(name in _CONTACT_FIELDS and name in fields for name in names)
    in_contact = _PERSONAL_IN_CONTACTS if is_contact else frozenset()
    return frozenset(
        name
        for name in names
        if (name in fields or name in in_contact or f"{parent}.{name}" in fields)
        and f"{parent}.{name}" not in _NOT_PERSONAL
    )


_MAX_DEPTH = 20
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_is_shown: ContextVar[bool] = ContextVar("personal data is shown", default=False)


class _Placeholder:
    """A placeholder for a masked value."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_MASKED: Final = _Placeholder("***")
_DEEPER: Final = _Placeholder("…")


@contextmanager
def show_personal_data() -> Iterator[None]:
    """Show personal data in the `repr` of models, events and responses, until the block ends.

    This affects only the task or thread that enters the block. Attributes, ``raw`` and ``json()``
    always have the data.
    """
    reset = _is_shown.set(True)
    try:
        yield
    finally:
        _is_shown.reset(reset)


def masked_fields(instance: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an attrs object that are set, with secrets and personal data masked."""
    kind = type(instance)
    hidden = _personal_fields(kind)
    for field in attrs.fields(kind):
        value = getattr(instance, field.name) if field.repr else None
        if value is not None and value != []:
            yield field.name, _mask(value, field.name, hidden)


def mask_personal(value: Any, depth: int = 0, parent: str = "") -> Any:
    """Return plain values with secrets and personal data masked; models mask their own fields."""
    if not isinstance(value, (dict, list)):
        return value
    if depth > _MAX_DEPTH:
        return _DEEPER
    if isinstance(value, list):
        return [mask_personal(item, depth + 1, parent) for item in value]
    hidden = select_personal(value, parent)
    return {key: _mask(item, key, hidden, depth + 1) for key, item in value.items()}


def masked_repr(value: Any) -> str:
    """Return the `repr` of a value without secrets and, by default, without personal data."""
    return repr(mask_personal(value))


def _mask(value: Any, name: str, hidden: Collection[str], depth: int = 0) -> Any:
    if name in SECRET_FIELDS and isinstance(value, str) and value:
        return _MASKED
    if name not in hidden or isinstance(value, bool) or value in (None, "") or _is_shown.get():
        return mask_personal(value, depth, name)
    if name in _PERSONAL_IF_TEXT and not isinstance(value, (str, int, float)):
        return mask_personal(value, depth, name)
    return _MASKED


_personal_by_class: dict[type[Any], frozenset[str]] = {}


def _personal_fields(kind: type[Any]) -> frozenset[str]:
    if kind not in _personal_by_class:
        names = {field.name for field in attrs.fields(kind)}
        # A class is named after the field that holds its objects, or after one item of that field.
        parent = _CAPITAL.sub("_", kind.__name__).lower()
        hidden = select_personal(names, parent) | select_personal(names, f"{parent}s")
        if "Address" in kind.__name__:
            hidden |= _PERSONAL_IN_CONTACTS
        _personal_by_class[kind] = hidden
    return _personal_by_class[kind]
