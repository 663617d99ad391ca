"""Segmenting with many processes, of this machine or of many, through dask.distributed."""

from amseg_keras.runs.cluster.connect import ClusterError, connected
from amseg_keras.runs.cluster.segment import ClusterJob, StackResult, segment_on_cluster
from amseg_keras.runs.cluster.worker import NetworkSpec

__all__ = [
    "ClusterError",
    "ClusterJob",
    "NetworkSpec",
    "StackResult",
    "connected",
    "segment_on_cluster",
]
