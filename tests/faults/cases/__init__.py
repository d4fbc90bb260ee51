"""All cases, by subject: importing this enters them into the table."""

from tests.faults.cases import browser, network

__all__ = ["browser", "network"]
