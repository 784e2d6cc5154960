"""Conformance test of token stores: the rules that authorizations rely on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeAlias

from ..auth.stores.base import TokenStore
from .store_checks.lock_rules import check_locks
from .store_checks.store_pair import StorePair
from .store_checks.value_rules import check_secrecy, check_values

StoreFactory: TypeAlias = Callable[[], TokenStore | AbstractAsyncContextManager[TokenStore]]


async def check_token_store(make_store: StoreFactory, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109
    """Check a token store of your own; an `AssertionError` names the rule that it violates.

    Keys that begin with ``check-`` are left in the store.

    Args:
        make_store: Returns a store, or a context manager that returns one. It is called twice: both
            stores must have the same data, as those of two processes do.
        timeout: Seconds after which a step counts as hanging.
    """
    async with AsyncExitStack() as stack:
        one, other = [await _open(stack, make_store()) for _ in range(2)]
        pair = StorePair(one, other, timeout)
        await check_values(pair)
        await check_locks(pair)
        await check_secrecy(pair)


async def _open(
    stack: AsyncExitStack, store: TokenStore | AbstractAsyncContextManager[TokenStore]
) -> TokenStore:
    if isinstance(store, AbstractAsyncContextManager):
        return await stack.enter_async_context(store)
    return store
