"""Errors of drivers as `TokenStoreError`, the only kind that users of a store expect."""

from functools import partial

from ..._storage.error_wrapping import wrap_errors
from ...errors import TokenStoreError

wrap_store_errors = partial(wrap_errors, TokenStoreError)
