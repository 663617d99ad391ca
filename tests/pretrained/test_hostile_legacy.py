"""Legacy weights files made to do harm, each refused in one sentence."""

import h5py
import numpy as np
import pytest

from amseg_keras.pretrained.authors import ConversionError, read_legacy_layers


def write(path, change):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(["conv2d"], "S")
        group = file.create_group("conv2d")
        group.attrs["weight_names"] = np.array(["conv2d/kernel:0", "conv2d/bias:0"], "S")
        group["conv2d/kernel:0"] = np.ones((3, 3, 1, 4), "f4")
        group["conv2d/bias:0"] = np.ones(4, "f4")
        change(file)
    return path


def huge(file):
    """36 GiB of zeros that take no room in the file."""
    del file["conv2d/conv2d/kernel:0"]
    file["conv2d"].create_dataset(
        "conv2d/kernel:0", (3 << 20, 3, 1, 1024), "f4", chunks=True, compression="gzip"
    )


def test_a_sound_file_is_read(tmp_path):
    layers = read_legacy_layers(write(tmp_path / "a.hdf5", lambda file: None))
    assert [layer.kind for layer in layers] == ["conv"]


def test_a_single_layer_name_that_is_no_list_is_read(tmp_path):
    def change(file):
        file.attrs["layer_names"] = np.bytes_("conv2d")

    assert len(read_legacy_layers(write(tmp_path / "a.hdf5", change))) == 1


@pytest.mark.parametrize(
    "change",
    [
        huge,
        lambda file: file.attrs.update(layer_names=7),
        lambda file: file.attrs.update(layer_names=h5py.Empty("S1")),
        lambda file: file["conv2d"].attrs.update(weight_names=3.5),
        lambda file: file["conv2d"].attrs.pop("weight_names"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path, change):
    with pytest.raises(ConversionError, match=r"a\.hdf5"):
        read_legacy_layers(write(tmp_path / "a.hdf5", change))
