"""The models of all groups: ``from tiktok_shop_async.models.order import Order``."""
