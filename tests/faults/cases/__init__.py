"""All cases, by subject: importing this enters them into the table."""

from tests.faults.cases import browser, compositor, configuration, content, daemon, dialogs, machine, network, profile, prompts, starts

__all__ = [
    "browser", "compositor", "configuration", "content", "daemon", "dialogs", "machine", "network", "profile", "prompts", "starts"
]  # fmt: skip
