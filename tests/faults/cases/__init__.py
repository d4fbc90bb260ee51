"""All cases, by subject: importing this enters them into the table."""

from tests.faults.cases import browser, daemon, network

__all__ = ["browser", "daemon", "network"]
