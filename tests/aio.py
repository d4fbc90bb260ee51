"""The one decorator asyncio tests need: no plugin."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")

LIMIT_S = 60.0  # far beyond any test: it only turns a hang into a failure


def asynctest(function: Callable[P, Coroutine[Any, Any, None]], limit_s: float = LIMIT_S) -> Callable[P, None]:
    """Run a coroutine test in its own event loop, within ``limit_s``."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(limit_s):
                await function(*args, **kwargs)

        asyncio.run(limited())

    return run


def lasting(limit_s: float) -> Callable[[Callable[P, Coroutine[Any, Any, None]]], Callable[P, None]]:
    """``asynctest`` for a story that takes minutes by its nature."""
    return functools.partial(asynctest, limit_s=limit_s)
