"""All cases, by subject: importing this enters them into the table."""

from tests.faults.cases import (
    browser,
    compositor,
    configuration,
    connection,
    content,
    daemon,
    dialogs,
    machine,
    network,
    profile,
    prompts,
    server,
    starts,
)

__all__ = [
    "browser",
    "compositor",
    "configuration",
    "connection",
    "content",
    "daemon",
    "dialogs",
    "machine",
    "network",
    "profile",
    "prompts",
    "server",
    "starts",
]
