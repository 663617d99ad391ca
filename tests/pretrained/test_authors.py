"""`convert_weights` on files that legacy Keras itself wrote from networks of the same topology."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from amseg_keras import from_pretrained
from amseg_keras.pretrained.authors import ConversionError, convert_weights, read_legacy_layers

CLASSES = ("keyhole", "pore", "substrate", "background", "powder")
WRITER = Path(__file__).with_name("write_legacy_weights.py")


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A folder with a folder of each network, written by legacy Keras in one process."""
    pytest.importorskip("tf_keras", reason="tf-keras (legacy Keras) is not installed")
    folder = tmp_path_factory.mktemp("legacy")
    subprocess.run([sys.executable, WRITER, folder], check=True)
    return folder


@pytest.fixture(
    scope="session",
    params=["amsegnet", "amsegnet-no-attention", "amsegnet-named-by-hand", "unet"],
)
def legacy(request, written):
    """A weights file of legacy Keras, frames, and what legacy Keras made of them."""
    folder = written / request.param
    return folder / "weights.hdf5", np.load(folder / "frames.npy"), np.load(folder / "out.npy")


@pytest.mark.parametrize("legacy", ["amsegnet"], indirect=True)
def test_the_conversion_records_class_order_and_grey_levels(legacy, tmp_path):
    weights, *_ = legacy
    assert convert_weights(weights, tmp_path / "preset", CLASSES) == "amsegnet"
    segmenter = from_pretrained(tmp_path / "preset")
    assert segmenter.class_names == CLASSES
    assert (segmenter.scaling.method, segmenter.scaling.top) == ("as_is", 255)


def test_converted_network_gives_the_output_of_legacy_keras(legacy, tmp_path):
    weights, frames, expected = legacy
    convert_weights(weights, tmp_path / "preset", CLASSES)
    model = from_pretrained(tmp_path / "preset").model
    got = model.predict_on_batch(frames)
    assert np.unique(expected.argmax(-1)).size > 1
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("legacy", ["unet"], indirect=True)
def test_wrong_number_of_classes_is_named(legacy, tmp_path):
    with pytest.raises(ConversionError, match="has 5 classes, but 3 are named"):
        convert_weights(legacy[0], tmp_path / "preset", CLASSES[:3])


@pytest.mark.parametrize("legacy", ["amsegnet"], indirect=True)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_truncated_file_is_an_error_that_names_it(legacy, keep, tmp_path):
    whole = legacy[0].read_bytes()
    cut = tmp_path / "cut.hdf5"
    cut.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ConversionError, match=r"cut\.hdf5: truncated"):
        convert_weights(cut, tmp_path / "preset", CLASSES)
    assert not (tmp_path / "preset").exists()


@pytest.mark.parametrize("legacy", ["amsegnet"], indirect=True)
def test_a_layer_of_another_shape_is_named(legacy, tmp_path):
    other = tmp_path / "other.hdf5"
    other.write_bytes(legacy[0].read_bytes())
    with h5py.File(other, "a") as file:
        name = next(n for n in file.attrs["layer_names"] if "depthwise" in str(n))
        name = name.decode() if isinstance(name, bytes) else name
        path = f"{name}/{file[name].attrs['weight_names'][0]}"
        kernel = file[path][()]
        del file[path]
        file[path] = kernel[:1]
    with pytest.raises(ConversionError, match=f"layer '{name}'.*does not fit encoder_1/depthwise"):
        convert_weights(other, tmp_path / "preset", CLASSES)


@pytest.mark.parametrize("legacy", ["unet"], indirect=True)
def test_a_missing_layer_is_named(legacy, tmp_path):
    other = tmp_path / "other.hdf5"
    other.write_bytes(legacy[0].read_bytes())
    with h5py.File(other, "a") as file:
        names = [n for n in file.attrs["layer_names"] if b"batch" not in np.bytes_(n)]
        file.attrs["layer_names"] = names
    with pytest.raises(ConversionError, match="no norm is left for it"):
        convert_weights(other, tmp_path / "preset", CLASSES)


def test_keras_3_file_needs_no_conversion(small_segmenter, tmp_path):
    small_segmenter.model.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ConversionError, match="not a weights file of legacy Keras"):
        convert_weights(tmp_path / "a.weights.h5", tmp_path / "preset", CLASSES)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConversionError, match=r"none\.hdf5: no such file"):
        convert_weights(tmp_path / "none.hdf5", tmp_path / "preset", CLASSES)


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
