"""The peers: what people keep a wall screen alive with today, each behind the same two verbs as kioskd, start and stop.

::

    launch = Launch(url=dashboard.url, folder=folder, profile=folder / "profile")
    await dashboard.switch(**peer.switches)
    async with peer(launch) as victim:
        ...  # what is done to a kioskd's browser, and asked of the same oracle
        await victim.deployed()  # after each deploy that a hook would know of
"""

from tests.faults.peers.by_hand import CarefulPage, CronJob, DeployHook, Nothing, ShellLoop
from tests.faults.peers.peer import Launch, Peer
from tests.faults.peers.supervisors import Pm2, Supervisord, Systemd

PEERS: tuple[type[Peer], ...] = (Nothing, ShellLoop, Supervisord, Pm2, Systemd, CarefulPage, CronJob, DeployHook)

__all__ = [
    "PEERS", "CarefulPage", "CronJob", "DeployHook", "Launch", "Nothing", "Peer", "Pm2", "ShellLoop", "Supervisord", "Systemd",
]  # fmt: skip
