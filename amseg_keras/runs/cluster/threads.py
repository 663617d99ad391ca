"""How much of a machine a worker takes, so that several fit on one."""

from __future__ import annotations

import os
import sys

from amseg_keras.engines.engine import THREADS


def take_part_of_machine(threads: int) -> None:
    """Let the network compute in so many threads, and take GPU memory as it needs it.

    Works until the backend has computed something; it reads the variables then.

    Args:
        threads: For one network.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ[THREADS] = str(threads)
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    # What XLA on a CPU takes for the number of cores.
    os.environ["NPROC"] = str(threads)
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
