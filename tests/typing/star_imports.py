"""Type checkers see the names of a star import, those that need an extra too."""

# ruff: noqa: F403, F405 - star imports are the subject

from tiktok_shop_async.auth import *
from tiktok_shop_async.batch import *
from tiktok_shop_async.limits import *
from tiktok_shop_async.testing import *
from tiktok_shop_async.webhooks import *

state: AuthState = AuthState()
signer: StateSigner = StateSigner("a-secret-of-sixteen-or-more")
journal: Journal = SQLJournal("journal.db")
limiter: Limiter = RedisLimiter("redis://localhost")
mock: MockTikTokShop = MockTikTokShop()
store: WebhookStore = RedisWebhookStore("redis://localhost")
event: type[WebhookEvent] = OrderStatusChange
