"""For every ring."""

from contextlib import suppress

with suppress(ImportError):  # the rings on booted machines go without it
    from hypothesis import settings

    # How long one example takes says something of the machine: hypothesis' own deadline of 0.2 s fails a test on a busy one.
    settings.register_profile("kioskd", deadline=None)
    settings.load_profile("kioskd")
