"""What a driver raises, as the one error that callers of a store expect."""

from functools import partial

from ..._internal.error_causes import raise_as
from ...errors import TokenStoreError

reported = partial(raise_as, TokenStoreError)
