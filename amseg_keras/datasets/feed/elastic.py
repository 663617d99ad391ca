"""Elastic deformation that moves an image and its mask alike."""

from __future__ import annotations

from typing import Any

import keras
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
        seed: Of the draws.
        **kwargs: Of `keras.layers.Layer`.

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
        """Where each pixel is taken from: `(batch, 2, height, width)`."""
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
