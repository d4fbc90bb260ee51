"""The managed policy: Chromium knows every word of it, the page stays in the web, and one that is not followed is seen."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kioskd.core.actions import StopBrowser
from kioskd.core.facts import DocumentCommitted
from kioskd.edges import policy
from tests.aio import asynctest
from tests.edges.stage import Stage, stage
from tests.policy import SHIPPED, following

chromium = pytest.mark.chromium

OURS: dict[str, Any] = json.loads(SHIPPED.read_text())
PDF = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 400]>>endobj\ntrailer<</Root 1 0 R>>\n"
)
#: Two columns of chrome://policy, of every policy that is set.
ROWS = """(() => {
  const rows = [];
  const walk = root => {
    for (const each of root.querySelectorAll("*")) {
      if (each.localName === "policy-row") {
        const text = part => each.shadowRoot.querySelector(part)?.textContent.trim() ?? "";
        rows.push([text(".name"), text(".messages")]);
      } else if (each.shadowRoot) walk(each.shadowRoot);
    }
  };
  walk(document);
  return rows.filter(([name, said]) => name && said !== "Not set.");
})()"""


def in_force(it: Stage) -> bool | None:
    """What kioskd found out at the browser's start."""
    now = it.screen._now
    assert now is not None and now.page is not None
    return now.page.confinement.policy_in_force


@chromium
@asynctest
async def test_followed_the_page_stays_in_the_web(tmp_path: Path) -> None:
    async with stage(tmp_path, command=following(tmp_path, SHIPPED.read_text())) as it:
        it.pages["here"] = "here"
        await it.start()
        assert in_force(it) is True and it.screen.policy_trouble is None
        forbidden = (
            "file:///etc/passwd",
            f"view-source:{it.url('here')}",
            "mailto:a@example.org",
            "filesystem:http://a/b",
            "chrome://settings/",
        )
        for url in forbidden:
            await it.go("", url)
            assert it.last(DocumentCommitted).error, url
            await it.go("here")
            assert not it.last(DocumentCommitted).error


@chromium
@asynctest
async def test_a_pdf_is_still_shown(tmp_path: Path) -> None:
    async with stage(tmp_path, command=following(tmp_path, SHIPPED.read_text())) as it:
        it.pages["pdf"] = lambda: web.Response(body=PDF, content_type="application/pdf")
        await it.start()
        await it.go("pdf")
        assert it.screen._now is not None and it.screen._now.pipe is not None
        while True:  # the viewer is a page of its own in the page: it comes when it comes, or is blocked
            targets = (await it.screen._now.pipe.command("Target.getTargets"))["targetInfos"]
            if any(target["url"].startswith("chrome-extension://") for target in targets):
                break


@chromium
@asynctest
async def test_one_that_is_not_followed_is_seen(tmp_path: Path) -> None:
    async with stage(tmp_path, command=following(tmp_path, SHIPPED.read_text()[:-10])) as it:
        await it.start()
        assert in_force(it) is False, "Chromium ignores it, and says nothing"


@chromium
@asynctest
async def test_chromium_knows_every_word_of_it(tmp_path: Path) -> None:
    looked_at = OURS | {"URLAllowlist": [*OURS["URLAllowlist"], "chrome://policy"]}
    async with stage(tmp_path, command=following(tmp_path, json.dumps(looked_at))) as it:
        await it.start()
        await it.go("", "chrome://policy/")
        now = it.screen._now
        assert now is not None and now.page is not None and now.pipe is not None
        rows: list[list[str]] = []
        while len(rows) < len(OURS):  # they come when they come
            answer = await now.pipe.command("Runtime.evaluate", {"expression": ROWS, "returnByValue": True}, now.page._session)
            rows = answer["result"]["value"]
        assert {name for name, _ in rows} == set(OURS)
        assert {name: said for name, said in rows if said not in ("OK", "Deprecated")} == {}


@chromium
@asynctest
async def test_it_is_tried_once_for_each_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = iter([(1,), (1,), (2,)])
    monkeypatch.setattr(policy, "stamp", lambda browser: next(stamps))
    async with stage(tmp_path, command=following(tmp_path, SHIPPED.read_text())) as it:
        known = []
        for _ in range(3):
            await it.start()
            known.append(in_force(it))
            await it.do(StopBrowser(it.generation))
        assert known == [True, None, True]


def test_what_is_another_policy_or_another_browser(tmp_path: Path) -> None:
    folder, browser = tmp_path / "managed", tmp_path / "chromium"
    assert policy.stamp(str(browser), folder) == ()
    folder.mkdir()
    browser.write_text("1")
    stamps = [policy.stamp(str(browser), folder)]
    for file in (folder / "kioskd.json", folder / "another.json", browser):
        file.write_text("{}")
        stamps.append(policy.stamp(str(browser), folder))
    assert stamps[0] == () and len(set(stamps)) == 4 and policy.stamp(str(browser), folder) == stamps[-1]


#: What docs/security.md promises; the addresses are tried above.
PROMISED = {
    "AllowFileSelectionDialogs": False, "DefaultFileSystemReadGuardSetting": 2, "DefaultFileSystemWriteGuardSetting": 2,
    "DownloadRestrictions": 3, "PrintingEnabled": False, "ScreenCaptureAllowed": False, "SSLErrorOverrideAllowed": False,
    "AudioCaptureAllowed": False, "VideoCaptureAllowed": False, "DefaultClipboardSetting": 2, "DefaultGeolocationSetting": 2,
    "DefaultIdleDetectionSetting": 2, "DefaultLocalFontsSetting": 2, "DefaultNotificationsSetting": 2, "DefaultPopupsSetting": 2,
    "DefaultSerialGuardSetting": 2, "DefaultWebBluetoothGuardSetting": 2, "DefaultWebHidGuardSetting": 2, "DefaultWebUsbGuardSetting": 2,
    "DefaultWindowManagementSetting": 2, "AutofillAddressEnabled": False, "AutofillCreditCardEnabled": False, "BrowserSignin": 0,
    "BrowserAddPersonEnabled": False, "BrowserGuestModeEnabled": False, "ExtensionInstallBlocklist": ["*"], "IncognitoModeAvailability": 1,
    "PasswordManagerEnabled": False, "SyncDisabled": True, "TaskManagerEndProcessEnabled": False, "TranslateEnabled": False,
    "WebAppInstallByUserEnabled": False, "EditBookmarksEnabled": False,
}  # fmt: skip


def test_it_keeps_what_is_promised() -> None:
    assert {name: OURS.get(name) for name in PROMISED} == PROMISED


def test_it_leaves_kioskd_its_way_in() -> None:
    assert OURS.get("DeveloperToolsAvailability") != 2 and OURS.get("RemoteDebuggingAllowed") is not False


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, None), ("{", "it is no JSON"), (SHIPPED.read_text(), "this Chromium does not read it there")],
)
def test_why_it_is_not_followed(tmp_path: Path, content: str | None, why: str | None) -> None:
    file = tmp_path / "kioskd.json"
    if content is not None:
        file.write_text(content)
    said = policy.trouble(file)
    assert said is None if why is None else re.search(f"^Chromium does not follow {file}: {why}", said or "")
