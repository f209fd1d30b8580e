"""What is compared: one folder a role, one file a policy."""

from sim.policies.keepalive.clairvoyant import Clairvoyant
from sim.policies.keepalive.fixed_window import FixedWindow
from sim.policies.keepalive.keep_forever import KeepForever
from sim.policies.keepalive.no_keep_alive import NoKeepAlive
from sim.policies.keepalive.role import KeepAlive

__all__ = ["Clairvoyant", "FixedWindow", "KeepAlive", "KeepForever", "NoKeepAlive"]
