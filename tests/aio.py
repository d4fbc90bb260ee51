"""The one decorator asyncio tests need: no plugin."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")

LIMIT_S = 60.0  # far beyond any test: it only turns a hang into a failure


def asynctest(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a coroutine test in its own event loop, within ``LIMIT_S``."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(LIMIT_S):
                await function(*args, **kwargs)

        asyncio.run(limited())

    return run
