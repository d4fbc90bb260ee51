"""A place elsewhere that is part of home. Those that are not: the cases of row 11."""

from pathlib import Path

import pytest

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import Kiosk
from tests.aio import asynctest
from tests.faults.scene import HOLDING
from tests.faults.stage import INTERVAL, QUICK, START_S

pytestmark = pytest.mark.chromium


@asynctest
async def test_a_login_elsewhere_that_is_allowed_is_part_of_home(tmp_path: Path) -> None:
    async with Dashboard(tmp_path / "dist") as dashboard:
        await dashboard.switch(index="redirect_login")
        async with Kiosk(dashboard.url, tmp_path, health=QUICK) as kiosk:
            await kiosk.shows(START_S, page__url=HOLDING, why=lambda why: "leads to another site" in why)
            kiosk.configure(allow=[dashboard.other_url])
            await kiosk.shows(INTERVAL + 5, page__url=dashboard.other_url + "login.html", verdict="HEALTHY")
