"""The figures on the dashboard: a plausible day at an office, as pure functions of time, so that every page sees the same."""

import math
from typing import Any

HISTORY = 90  # points of a sparkline

ROOMS = (("Fjord", 46), ("Meadow", 31), ("Quay", 62), ("Lantern", 23), ("Birch", 38))


def figures(moment: float) -> dict[str, Any]:
    """Return everything on the dashboard at a moment (wall clock, s)."""
    return {
        "sales": round(_sales(moment), -1),
        "sales_change": round(8.4 + 1.2 * math.sin(moment / 97), 1),
        "orders": round(_orders(moment), 1),
        "power": round(_power(moment), 1),
        "solar": round(_solar(moment), 1),
        "temperature": round(21.4 + 0.4 * math.sin(moment / 61), 1),
        "co2": round(618 + 44 * math.sin(moment / 43)),
        "people": round(37 + 5 * math.sin(moment / 127)),
        "delivered": round(97.6 + 0.9 * math.sin(moment / 83), 1),
        "tickets": round(11 + 3.4 * math.sin(moment / 71)),
        "rooms": [_room(name, period, moment) for name, period in ROOMS],
    }


def history(moment: float) -> dict[str, list[float]]:
    """Return the sparklines up to a moment, oldest first, one point a second."""
    moments = [moment - back for back in reversed(range(HISTORY))]
    return {
        "sales": [_sales(then) for then in moments],
        "orders": [_orders(then) for then in moments],
        "power": [_power(then) for then in moments],
        "solar": [_solar(then) for then in moments],
    }


def _wander(moment: float, seed: int) -> float:
    """A rough, repeatable value between -1 and 1: smooth hills with grain on top."""
    hills = math.sin(moment / 23 + seed) * 0.55 + math.sin(moment / 9.1 + 2 * seed) * 0.35
    grain = math.sin(moment * 1.7 + seed) * math.sin(moment * 0.61 + 3 * seed) * 0.1
    return hills + grain


def _sales(moment: float) -> float:
    return 412_000 + 9_000 * _wander(moment, 1) + 4_000 * math.sin(moment / 200)


def _orders(moment: float) -> float:
    return 14.2 + 4.1 * _wander(moment, 2)


def _power(moment: float) -> float:
    return 42.0 + 6.5 * _wander(moment, 3)


def _solar(moment: float) -> float:
    return 24.0 + 5.0 * _wander(moment / 2, 4)


def _room(name: str, period: int, moment: float) -> dict[str, Any]:
    """Rooms are taken and left in turns; ``minutes`` is the time until that happens, in the dashboard's own hurry."""
    turn = int(moment // 60 + period * 7) % period
    until = period // 2
    return {"name": name, "taken": turn < until, "minutes": until - turn if turn < until else period - turn}
