from kioskd.wire.flags import FEATURES, FLAGS, MARKER, START_PAGE, arguments, environment


def test_every_flag_stands_once_with_a_reason() -> None:
    names = [*(flag.partition("=")[0] for flag, _ in FLAGS), *(name for name, _ in FEATURES)]
    assert len(names) == len(set(names)) and all(reason for _, reason in (*FLAGS, *FEATURES))
    assert "--no-sandbox" not in names and "--remote-debugging-port" not in names


def test_the_display_decides_how_it_is_shown() -> None:
    assert "--headless=new" in arguments("/p", {}, ())
    assert "--ozone-platform=wayland" in arguments("/p", {"WAYLAND_DISPLAY": "wayland-1", "DISPLAY": ":0"}, ())
    assert "--ozone-platform=x11" in arguments("/p", {"DISPLAY": ":0"}, ())


def test_the_owners_flags_come_last_and_there_is_one_list_of_what_is_off() -> None:
    ours = "--disable-features=" + ",".join(name for name, _ in FEATURES)
    assert arguments("/p", {}, ("--kiosk=no",))[-3:] == ["--kiosk=no", ours, START_PAGE]
    *_, also, off, _ = arguments("/p", {}, ("--disable-features=A,B", "--disable-features=", "--enable-features=C,*Translate<Study:a/b"))
    assert also == "--enable-features=C,*Translate<Study:a/b" and off == ours.replace("Translate,", "") + ",A,B"


def test_the_browser_hears_nothing_of_systemd() -> None:
    bus = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"}
    own = bus | {"HOME": "/h", "NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "LISTEN_FDS": "1", "DISPLAY": ":9"}
    for name in ("INVOCATION_ID", "SYSTEMD_EXEC_PID", "MANAGERPID", "JOURNAL_STREAM", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"):
        own[name] = "1"
    for kind in ("CREDENTIALS", "RUNTIME", "STATE", "CACHE", "LOGS", "CONFIGURATION"):
        own[f"{kind}_DIRECTORY"] = "/c"
    env = environment(own, {"WAYLAND_DISPLAY": "wayland-1"}, "abc")
    assert env.pop("DBUS_SESSION_BUS_ADDRESS") == "disabled:", "nor of the user's own"
    assert env == {"HOME": "/h", "WAYLAND_DISPLAY": "wayland-1", "GTK_THEME": "Adwaita:dark", MARKER: "abc"}
