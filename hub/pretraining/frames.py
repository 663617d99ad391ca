"""Simulated frames: made by processes, kept on the GPU, drawn and altered there."""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SHAPE = (256, 512)
CHUNK = 8
LOW, HIGH = (0.0, 0.1, 0.2, 0.4, 0.6), (99.3, 99.6, 99.8, 99.9, 100.0)
"""Percentiles that come with each frame: a sort is slow on a GPU."""


def _simulate(
    shares: Mapping[str, float], seed: int, worker: int, shape: tuple[int, int], out: Any
) -> None:
    import cv2

    from amseg_keras.simulate import simulate_frame

    cv2.setNumThreads(1)
    names, drawn = list(shares), np.array(list(shares.values()))
    rng = np.random.default_rng((seed, worker))
    while True:
        chunk = []
        for _ in range(CHUNK):
            place = int(rng.choice(len(names), p=drawn / drawn.sum()))
            frame, labels = simulate_frame(rng, shape, names[place])
            levels = np.percentile(frame, LOW + HIGH).astype(np.float32)
            chunk.append((frame.astype(np.uint16), labels, levels, place))
        frames, labels, levels, places = zip(*chunk, strict=True)
        out.put((np.stack(frames), np.stack(labels), np.stack(levels), np.array(places)))


@jax.jit
def _draw(key: jax.Array, pool: dict[str, jax.Array], chosen: jax.Array) -> Any:
    """Scaled grey levels `(batch, height, width, 1)` and labels, as the training's own feed.

    The stretch, gamma, contrast and brightness are drawn at random, half of the frames mirrored.
    """
    frames = pool["frames"][chosen].astype(jnp.float32)
    labels = pool["labels"][chosen].astype(jnp.int32)
    levels = pool["levels"][chosen]
    count = chosen.shape[0]
    keys = jax.random.split(key, 8)

    def uniform(index: int, low: float, high: float) -> jax.Array:
        return jax.random.uniform(keys[index], (count,), minval=low, maxval=high)

    def sometimes(index: int, share: float) -> jax.Array:
        return uniform(index, 0, 1) < share

    stretched = sometimes(0, 0.6)
    low_percent = jnp.where(stretched, uniform(1, 0, 0.6), 0.1)
    high_percent = jnp.where(stretched, uniform(2, 99.3, 100), 99.9)
    low = jax.vmap(lambda at, values: jnp.interp(at, jnp.array(LOW), values))(
        low_percent, levels[:, : len(LOW)]
    )
    high = jax.vmap(lambda at, values: jnp.interp(at, jnp.array(HIGH), values))(
        high_percent, levels[:, len(LOW) :]
    )

    def each(values: jax.Array) -> jax.Array:
        return values[:, None, None]

    images = jnp.clip((frames - each(low)) / each(jnp.maximum(high - low, 1e-6)), 0, 1)
    gamma = jnp.where(sometimes(3, 0.5), jnp.exp(uniform(4, -0.35, 0.35)), 1.0)
    images = jnp.maximum(images, 1e-6) ** each(gamma)
    toned = sometimes(5, 0.5)
    gain = jnp.where(toned, uniform(6, 0.7, 1.2), 1.0)
    shift = jnp.where(toned, uniform(7, -0.1, 0.1), 0.0)
    images = jnp.clip((images - 0.5) * each(gain) + 0.5 + each(shift), 0, 1)
    mirrored = each(jax.random.bernoulli(key, 0.5, (count,)))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
    labels = jnp.where(mirrored, labels[:, :, ::-1], labels)
    return images[..., None], labels


@jax.jit(donate_argnums=0)
def _put(pool: dict[str, jax.Array], at: jax.Array, chunk: dict[str, jax.Array]) -> Any:
    return {
        name: jax.lax.dynamic_update_slice_in_dim(kept, chunk[name], at, 0)
        for name, kept in pool.items()
    }


class FramePool:
    """Labelled frames on the GPU, more and more of them while it is trained.

    Args:
        shares: Facilities and their shares of the simulated frames.
        capacity: Frames that are kept; nothing is simulated beyond.
        seed: Of the frames; which of them a batch holds depends on how fast they were made.
        workers: Processes that simulate.
        shape: Height and width of the frames.
    """

    def __init__(
        self,
        shares: Mapping[str, float],
        capacity: int,
        seed: int,
        workers: int,
        shape: tuple[int, int] = SHAPE,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=8 * workers)
        # The processes shall not take the GPU's memory, nor each all the cores.
        hidden = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        before = {name: os.environ.get(name) for name in hidden}
        os.environ.update(hidden)
        self._processes = [
            context.Process(
                target=_simulate, args=(shares, seed, number, shape, self._queue), daemon=True
            )
            for number in range(workers)
        ]
        for process in self._processes:
            process.start()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        self._names, self._shape, self._capacity = list(shares), shape, capacity
        self._pool: dict[str, jax.Array] = {}
        self._of: dict[str, list[int]] = {name: [] for name in shares}
        self._rng = np.random.default_rng((seed, 10_000))
        self._key = jax.random.key(seed)
        self.count = 0

    def take_in(self, at_least: int = 0, at_most: int = 8) -> None:
        """Move chunks that are ready to the GPU, waiting until it holds `at_least` frames."""
        if not self._pool:
            self._pool = {
                "frames": jnp.zeros((self._capacity, *self._shape), jnp.uint16),
                "labels": jnp.zeros((self._capacity, *self._shape), jnp.uint8),
                "levels": jnp.zeros((self._capacity, len(LOW + HIGH)), jnp.float32),
            }
        taken = 0
        while self.count + CHUNK <= self._capacity and (taken < at_most or self.count < at_least):
            try:
                frames, labels, levels, places = self._queue.get(block=self.count < at_least)
            except queue.Empty:
                break
            chunk = {"frames": frames, "labels": labels, "levels": levels}
            self._pool = _put(self._pool, jnp.int32(self.count), chunk)
            for offset, place in enumerate(places):
                self._of[self._names[place]].append(self.count + offset)
            self.count += CHUNK
            taken += 1

    def has(self, facility: str) -> int:
        """How many frames of a facility there are."""
        return len(self._of[facility])

    def batch(self, shares: Mapping[str, float], size: int) -> tuple[jax.Array, jax.Array]:
        """Images float32 `(size, height, width, 1)` and class ids int32, drawn at random."""
        share = np.array(list(shares.values()))
        drawn = self._rng.choice(len(share), size, p=share / share.sum())
        kept = [self._of[name] for name in shares]
        chosen = [kept[place][self._rng.integers(len(kept[place]))] for place in drawn]
        self._key, key = jax.random.split(self._key)
        return _draw(key, self._pool, jnp.asarray(chosen, jnp.int32))

    def __enter__(self) -> FramePool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
