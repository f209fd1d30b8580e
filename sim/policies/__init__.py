"""What is compared: one folder a role, one file a policy."""

from sim.policies.keepalive.adaptive_window import AdaptiveWindow
from sim.policies.keepalive.clairvoyant import Clairvoyant
from sim.policies.keepalive.fixed_window import FixedWindow
from sim.policies.keepalive.function_idle_window import FunctionIdleWindow
from sim.policies.keepalive.hybrid_histogram import HybridHistogram
from sim.policies.keepalive.keep_forever import KeepForever
from sim.policies.keepalive.no_keep_alive import NoKeepAlive
from sim.policies.keepalive.ping_warmer import PingWarmer
from sim.policies.keepalive.provisioned_floor import ProvisionedFloor
from sim.policies.keepalive.role import KeepAlive
from sim.policies.keepalive.scheduled import Scheduled
from sim.policies.keepalive.ski_rental import SkiRental
from sim.policies.keepalive.stem_cells import StemCells
from sim.policies.scaling.aws_lambda import LambdaScaling
from sim.policies.scaling.azure import AzureScaling
from sim.policies.scaling.cloud_run import CloudRunScaling
from sim.policies.scaling.fixed_scale import FixedScale
from sim.policies.scaling.keda import Keda
from sim.policies.scaling.knative import Knative
from sim.policies.scaling.kubernetes_hpa import KubernetesHpa
from sim.policies.scaling.openfaas import OpenFaas
from sim.policies.scaling.openwhisk_pool import OpenWhiskPool
from sim.policies.scaling.openwhisk_scheduler import OpenWhiskScheduler
from sim.policies.scaling.oracle import OracleScaling
from sim.policies.scaling.predictive import Predictive
from sim.policies.scaling.role import Scaling
from sim.policies.scaling.target_tracking import TargetTracking

__all__ = [
    "AdaptiveWindow",
    "AzureScaling",
    "Clairvoyant",
    "CloudRunScaling",
    "FixedScale",
    "FixedWindow",
    "FunctionIdleWindow",
    "HybridHistogram",
    "Keda",
    "KeepAlive",
    "KeepForever",
    "Knative",
    "KubernetesHpa",
    "LambdaScaling",
    "NoKeepAlive",
    "OpenFaas",
    "OpenWhiskPool",
    "OpenWhiskScheduler",
    "OracleScaling",
    "PingWarmer",
    "Predictive",
    "ProvisionedFloor",
    "Scaling",
    "Scheduled",
    "SkiRental",
    "StemCells",
    "TargetTracking",
]
