"""Change images and labels at random by Keras layers, repeatably and without spoiling labels."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("amseg_keras")
class RandomElastic(keras.layers.Layer):
    """Bend each image of a batch smoothly, and its mask with it.

    Keras' own `RandomElasticTransform` draws one field for the image and another for the mask
    (Keras 3.15, all backends), so labels would no longer lie on what they name.

    Displacements are drawn from a normal distribution on a coarse grid and interpolated. Images
    are sampled bilinearly and continue at their edge; masks take the nearest pixel and are 0
    outside of the frame.

    Args:
        strength: Standard deviation of the displacement at a grid point, in pixels.
        spacing: Distance of the grid points, in pixels. With a strength above about a quarter of
            it, the field may fold.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input and output: `{"images": (batch, height, width, channels), "segmentation_masks": (batch,
    height, width, 1)}`, or images alone. Both come out as float32.

    Example:
        >>> import numpy as np
        >>> image = np.random.default_rng(0).random((2, 32, 64, 1), "float32")
        >>> data = {"images": image, "segmentation_masks": image}
        >>> bent = RandomElastic(strength=2, spacing=16)(data, training=True)
        >>> tuple(bent["images"].shape)
        (2, 32, 64, 1)
    """

    def __init__(
        self, strength: float = 4.0, spacing: int = 64, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if strength < 0 or spacing < 1:
            raise ValueError(f"strength {strength} must be 0 or more, spacing {spacing} above 0")
        self.strength = strength
        self.spacing = spacing
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._allow_non_tensor_positional_args = True

    def call(self, data: Any, training: bool = True) -> Any:
        if not training:
            return data
        alone = not isinstance(data, dict)
        data = {"images": data} if alone else dict(data)
        images = ops.convert_to_tensor(data["images"], "float32")
        coordinates = self._coordinates(images.shape)
        data["images"] = _sample(images, coordinates, order=1, fill_mode="nearest")
        if "segmentation_masks" in data:
            masks = ops.convert_to_tensor(data["segmentation_masks"], "float32")
            data["segmentation_masks"] = _sample(masks, coordinates, 0, "constant")
        return data["images"] if alone else data

    def _coordinates(self, shape: tuple[int, ...]) -> Any:
        """Return the place that each pixel is taken from: `(batch, 2, height, width)`."""
        batch, height, width = shape[:3]
        grid = (batch, height // self.spacing + 2, width // self.spacing + 2, 2)
        coarse = keras.random.normal(grid, stddev=self.strength, seed=self.seed_generator)
        field = ops.image.resize(
            coarse, (height, width), interpolation="bicubic", data_format="channels_last"
        )
        rows = ops.arange(height, dtype="float32")[None, :, None]
        columns = ops.arange(width, dtype="float32")[None, None, :]
        return ops.stack([rows + field[..., 0], columns + field[..., 1]], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"strength": self.strength, "spacing": self.spacing, "seed": self.seed}
        return {**super().get_config(), **own}


def _sample(values: Any, coordinates: Any, order: int, fill_mode: str) -> Any:
    # One frame and channel at a time: with the batch as a third dimension each pixel would be
    # interpolated from eight neighbours, not four.
    frames = [
        ops.stack(
            [
                ops.image.map_coordinates(
                    values[frame, :, :, channel], coordinates[frame], order, fill_mode, 0.0
                )
                for channel in range(values.shape[-1])
            ],
            axis=-1,
        )
        for frame in range(values.shape[0])
    ]
    return ops.stack(frames)


class _GreyLayer(keras.layers.Layer):
    """Changes `data["images"]`, or images alone, in training; subclasses say how in `change`."""

    def __init__(self, factor: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if factor < 0:
            raise ValueError(f"factor {factor} must be 0 or more")
        self.factor = factor
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._allow_non_tensor_positional_args = True

    def change(self, images: Any) -> Any:
        """Change float32 images `(batch, height, width, channels)` with values from 0 to 1."""
        raise NotImplementedError

    def call(self, data: Any, training: bool = True) -> Any:
        if not training:
            return data
        if isinstance(data, dict):
            images = ops.convert_to_tensor(data["images"], "float32")
            return {**data, "images": self.change(images)}
        return self.change(ops.convert_to_tensor(data, "float32"))

    def one_for_each(self, images: Any, low: float, high: float) -> Any:
        """Draw a number for each image, `(batch, 1, 1, 1)`."""
        shape = (images.shape[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, seed=self.seed_generator)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "seed": self.seed}


@keras.saving.register_keras_serializable("amseg_keras")
class FrameOnly(keras.layers.Layer):
    """Apply a layer that changes grey levels to the first channel, the frame, alone.

    Args:
        layer: Layer that takes and gives images `(batch, height, width, 1)`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 2, 2, 2), 0.5, "float32")
        >>> brighter = FrameOnly(keras.layers.RandomBrightness((0.2, 0.2), value_range=(0, 1)))
        >>> keras.ops.convert_to_numpy(brighter(image, training=True))[0, 0, 0].round(2)
        array([0.7, 0.5], dtype=float32)
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self._allow_non_tensor_positional_args = True

    def call(self, data: Any, training: bool = True) -> Any:
        if not isinstance(data, dict):
            return self._changed(data, training)
        return {**data, "images": self._changed(data["images"], training)}

    def _changed(self, images: Any, training: bool) -> Any:
        images = ops.convert_to_tensor(images, "float32")
        frame = ops.cast(self.layer(images[..., :1], training=training), "float32")
        return ops.concatenate([frame, images[..., 1:]], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FrameOnly:
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


@keras.saving.register_keras_serializable("amseg_keras")
class RandomGamma(_GreyLayer):
    """Raise images from 0 to 1 to a random power, as a detector of another response would.

    Args:
        factor: The power is exp(u) with u drawn evenly from -factor to factor for each image.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 2, 2, 1), 0.5, "float32")
        >>> bool((keras.ops.convert_to_numpy(RandomGamma(0.0)(image, training=True)) == 0.5).all())
        True
    """

    def change(self, images: Any) -> Any:
        power = ops.exp(self.one_for_each(images, -self.factor, self.factor))
        return ops.power(ops.clip(images, 0.0, 1.0), power)


@keras.saving.register_keras_serializable("amseg_keras")
class RandomNoise(_GreyLayer):
    """Add white noise of a random strength, as a shorter exposure would.

    `keras.layers.GaussianNoise` has one strength for all images and takes no masks.

    Args:
        factor: The standard deviation is drawn evenly from 0 to factor for each image.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> import numpy as np
        >>> RandomNoise(0.1)(np.zeros((1, 2, 2, 1), "float32"), training=True).shape == (1, 2, 2, 1)
        True
    """

    def change(self, images: Any) -> Any:
        strength = self.one_for_each(images, 0.0, self.factor)
        noise = keras.random.normal(images.shape, seed=self.seed_generator)
        return ops.clip(images + strength * noise, 0.0, 1.0)


@keras.saving.register_keras_serializable("amseg_keras")
class RandomBlur(_GreyLayer):
    """Blur with a Gaussian by a random amount, as motion and scintillator do.

    `keras.layers.RandomGaussianBlur` continues images with zeros, which darkens their edge (Keras
    3.15, all backends); here they continue as their mirror image.

    Args:
        factor: Largest standard deviation in pixels; each image is a random mixture of itself and
            of its blurred self.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 16, 16, 1), 0.5, "float32")
        >>> blurred = keras.ops.convert_to_numpy(RandomBlur(1.0)(image, training=True))
        >>> bool(np.allclose(blurred, 0.5))
        True
    """

    def change(self, images: Any) -> Any:
        radius = max(1, round(2.5 * self.factor))
        distance = ops.arange(-radius, radius + 1, dtype="float32")
        weights = ops.exp(-0.5 * ops.square(distance / max(self.factor, 1e-3)))
        weights = weights / ops.sum(weights)
        edges = [[0, 0], [radius, radius], [radius, radius], [0, 0]]
        blurred = ops.pad(images, edges, mode="symmetric")
        # Blurring along one axis, then the other, costs 2 n, not n squared.
        for axis in (1, 2):
            count = images.shape[axis]
            blurred = sum(
                weights[k]
                * (blurred[:, k : k + count] if axis == 1 else blurred[:, :, k : k + count])
                for k in range(2 * radius + 1)
            )
        share = self.one_for_each(images, 0.0, 1.0)
        return images + share * (blurred - images)


_ROUNDING = 1e-3


def strong_augmentation() -> keras.layers.Pipeline:
    """Flip, scale, elastic deformation, brightness, contrast, gamma, blur and noise.

    Only left and right are flipped: gravity and the laser have a direction, and a plate above its
    gas is nothing that a beamline records. Nothing is rotated for the same reason (and
    `RandomRotation` turns image and mask differently on PyTorch, Keras 3.15). The paper's own
    augmentation (section 2.3) is `augment="paper"`.

    Geometry and blur act on all channels, changes of the grey levels on the frame alone.

    Returns:
        A layer that takes and gives `{"images", "segmentation_masks"}`; images from 0 to 1. What
        comes from outside the frame is black, does not move, and is labelled "ignore".

    Example:
        >>> [type(layer).__name__ for layer in strong_augmentation().layers][:3]
        ['RandomFlip', 'RandomElastic', 'RandomZoom']
    """
    layers = keras.layers
    # channels_last is said, since a user's keras.json may say otherwise.
    last = {"data_format": "channels_last"}
    return layers.Pipeline(
        [
            layers.RandomFlip("horizontal", **last),
            RandomElastic(strength=3.0, spacing=80),
            # Up to 1.4 times larger, down to 0.83 times.
            layers.RandomZoom((-0.3, 0.2), fill_mode="constant", fill_value=0.0, **last),
            FrameOnly(layers.RandomBrightness(0.1, value_range=(0.0, 1.0), **last)),
            FrameOnly(layers.RandomContrast(0.25, value_range=(0.0, 1.0), **last)),
            FrameOnly(RandomGamma(0.35)),
            RandomBlur(1.0),
            FrameOnly(RandomNoise(0.03)),
        ]
    )


class SeededAugmentation:
    """Applies a layer to batches such that the result depends on the batch's seed alone.

    Keras layers draw from `keras.random.SeedGenerator`s whose state goes on from call to call, so
    that the result would depend on what was asked for before, and by which thread. Here all
    generators of the layer are set from the seed before each call; a lock keeps threads apart. A
    layer that draws from anywhere else is not repeatable.

    The layer gets class ids plus 1, and 0 for "ignore": 0 is what Keras layers fill with outside
    of a frame, so the outside comes back as "ignore" and never as the first class.

    Args:
        layer: Layer that takes and gives `{"images", "segmentation_masks"}`, such as the
            augmentation layers of `keras.layers`.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        self._layer = layer
        self._lock = threading.Lock()

    def apply(
        self, images: np.ndarray, labels: np.ndarray, seed: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a batch.

        Args:
            images: float32 `(batch, height, width, channels)`, from 0 to 1.
            labels: Class ids, uint8 `(batch, height, width)`, 255 is "ignore".

        Returns:
            The same, with the values from 0 to 1.

        Raises:
            ValueError: The layer gives back something else than it was given, for example masks
                of mixed ids, as `MixUp` does.

        Example:
            >>> flip = SeededAugmentation(keras.layers.RandomFlip("horizontal"))
            >>> image = np.arange(4, dtype="float32").reshape(1, 1, 4, 1) / 3
            >>> a, b = (flip.apply(image, np.zeros((1, 1, 4), np.uint8), (7,)) for _ in "ab")
            >>> bool((a[0] == b[0]).all())
            True
        """
        # uint8 wraps round: 255 becomes 0 here, and 0 becomes 255 below.
        masks = (labels + np.uint8(1))[..., None].astype(np.float32)
        if images.shape[-1] > 1:
            # Layers fill with 0 outside of the frame, where nothing moves either.
            images = np.concatenate([images[..., :1], images[..., 1:] - np.float32(0.5)], axis=-1)
        # Augmentation stays on the CPU, so that it does not wait for the network.
        with self._lock, keras.device("cpu"):
            self._reseed(seed)
            changed = self._layer({"images": images, "segmentation_masks": masks}, training=True)
            images_out = keras.ops.convert_to_numpy(changed["images"])
            masks_out = keras.ops.convert_to_numpy(changed["segmentation_masks"])
        ids = self._checked(masks, images_out, masks_out)
        images_out = np.array(images_out, np.float32)
        images_out[..., 1:] += 0.5
        return np.clip(images_out, 0, 1), ids[..., 0] - np.uint8(1)

    def _reseed(self, seed: tuple[int, ...]) -> None:
        states = [v for v in self._layer.variables if v.path.endswith("seed_generator_state")]
        # 31 bits, for backends whose seeds are signed.
        numbers = np.random.SeedSequence(seed).generate_state(2 * len(states)) >> 1
        for state, pair in zip(states, numbers.reshape(-1, 2), strict=True):
            state.assign(pair.astype(np.int64))

    def _checked(self, before: np.ndarray, images: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return the masks as uint8, if they belong to the images and hold no new ids."""
        name = type(self._layer).__name__
        if images.ndim != 4 or masks.shape != (*images.shape[:3], 1):
            raise ValueError(
                f"the augmentation {name} gave images {images.shape} and masks {masks.shape}, "
                "which do not belong together; it must change both alike"
            )
        # Rounded, since a layer may compute a nearest neighbour in half precision.
        ids = np.clip(np.rint(masks), 0, 255).astype(np.uint8)
        known = np.bincount(before.astype(np.uint8).ravel(), minlength=256) > 0
        known[0] = True
        found = np.bincount(ids.ravel(), minlength=256) > 0
        if np.abs(masks - ids).max(initial=0) > _ROUNDING or (found & ~known).any():
            raise ValueError(
                f"the augmentation {name} made class ids that were not there before, as layers do "
                "that mix images (MixUp, AugMix); leave it out"
            )
        return np.asarray(ids)
