"""All cases, by subject: importing this enters them into the table."""

from tests.faults.cases import (
    away,
    browser,
    compositor,
    configuration,
    connection,
    content,
    daemon,
    deploys,
    dialogs,
    machine,
    network,
    profile,
    prompts,
    server,
    starts,
)

__all__ = [
    "away",
    "browser",
    "compositor",
    "configuration",
    "connection",
    "content",
    "daemon",
    "deploys",
    "dialogs",
    "machine",
    "network",
    "profile",
    "prompts",
    "server",
    "starts",
]
