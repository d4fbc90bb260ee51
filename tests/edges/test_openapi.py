"""The interface tells of itself: every path that is there, who may ask, and nothing that is not."""

import re

from kioskd import __version__
from kioskd.edges.answers import CONSOLE
from tests.aio import asynctest
from tests.edges.test_http_api import Door

UNTOLD = {*CONSOLE, "/pair"} - {"/"}  # the console's own


@asynctest
async def test_every_path_is_told_of_and_answers_as_it_is_told() -> None:
    door = Door()
    async with door.open() as session:
        async with session.get("/api/openapi.json") as answer:
            known = await answer.json()
        assert known["openapi"].startswith("3.1") and known["info"]["version"] == __version__
        assert set(known["paths"]) == {route.path for route in door.api._answers.routes} - UNTOLD
        for path, operations in known["paths"].items():
            ((method, told),) = operations.items()
            wanted = re.sub("{.*}", "x.jpg", path)
            async with session.request(method, wanted) as answer:
                assert (answer.status == 401) == ("security" in told), path
                if answer.status == 200:
                    ((kind, _),) = told["responses"]["2XX"]["content"].items()
                    assert answer.content_type == kind.split(";")[0], path
                elif answer.status == 426:
                    assert "101" in told["responses"], path
                else:
                    assert answer.status == 401, path
            for name in re.findall("{(.*)}", path):
                assert [each["name"] for each in told["parameters"]] == [name]
