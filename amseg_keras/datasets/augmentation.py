"""Random changes of images and labels by Keras layers, repeatable and safe for labels."""

from __future__ import annotations

import threading

import keras
import numpy as np

from amseg_keras.datasets.augmentation_layers import (
    FrameOnly,
    RandomBlur,
    RandomElastic,
    RandomGamma,
    RandomNoise,
)

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
            seed: Says all about the randomness.

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
        """The masks as uint8, if they belong to the images and hold no new ids."""
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
