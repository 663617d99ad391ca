"""Training on several devices, which the CPU of a test machine plays."""

import os
import subprocess
import sys

import keras
import pytest

SCRIPT = """
import sys
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from small_sets import make_dataset, small_network
from amseg_keras.models.networks import NETWORKS
from amseg_keras import backend
from amseg_keras.training import Recipe, train
from pathlib import Path

NETWORKS["amsegnet"] = small_network
folder = Path(sys.argv[1])
data = make_dataset(folder / "frames", sequences=6, frames=2)
recipe = Recipe(
    epochs=1, batch_size=8, shape=(32, 48), precision="float32", augment=None, averaging=0.5,
    annealing="plateau",
)
for devices in (1, 2):
    if devices == 2:
        backend.accelerators = lambda: ["cpu:0", "cpu:1"]
        backend.hardware = lambda: "two"
    run = train(data, folder / f"run{devices}", recipe)
    print("losses", *run.history["loss"], *run.history["val_loss"])
"""


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras 3.15 trains on one device on PyTorch"
)
def test_two_devices_share_a_batch_and_learn_the_same(tmp_path):
    paths = [os.path.dirname(os.path.dirname(__file__)), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("losses ")]
    alone, together = ([float(number) for number in line] for line in lines)
    # Each device has batch-norm statistics and Dice of its half of the batch.
    assert together == pytest.approx(alone, rel=0.1)
