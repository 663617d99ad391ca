"""What moves in and above a deposit: pores and grains, the powder stream, bright specks."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.ranges import draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.deposit import DepositRanges


@dataclass(frozen=True)
class Pass:
    """One pass of the laser over the view; columns and lengths in pixels, times in frames.

    Attributes:
        start: Column of the laser at frame 0, outside the view.
        step: Columns that it moves in a frame, signed.
        front: Length over which the surface rises.
        melt_length: Length of the melt pool behind the laser.
        melt_depth: Depth of the old deposit that melts again.
    """

    start: float
    step: float
    front: float
    melt_length: float
    melt_depth: float

    def laser(self, frame: float) -> float:
        """Column of the laser."""
        return self.start + self.step * frame

    def risen(self, columns: np.ndarray, frame: float) -> np.ndarray:
        """Compute the share of the new bead that is there at each column, 0 to 1."""
        behind = np.sign(self.step) * (self.laser(frame) - columns)
        return np.asarray(1 / (1 + np.exp(-np.clip(4 * behind / self.front, -30, 30))))

    def passes(self, column: float) -> float:
        """Frame at which the laser is at a column."""
        return (column - self.start) / self.step


@dataclass(frozen=True)
class DepositPore:
    """A pore: it forms, drifts and grows in the melt, and freezes; pixels and frames.

    Attributes:
        birth: Frame at which it forms.
        frozen: Frame at which the melt around it has become solid.
        column: Column where it forms.
        row: Row where it forms.
        drift: Columns and rows a frame when it forms; slowed down over `calm` frames.
        calm: Frames in which its drift falls to 1/e.
        radius: Radius once frozen.
        path_um: Path in it along the beam through its middle, in deposit: positive if it
            absorbs more than the deposit.
        escape: Frame at which the melt reaches an old pore and lets it out; never if infinite.
    """

    birth: float
    frozen: float
    column: float
    row: float
    drift: tuple[float, float]
    calm: float
    radius: float
    path_um: float
    escape: float

    def at(self, frame: float) -> tuple[float, float, float]:
        """Column, row and radius; radius 0 before it forms and after it escaped."""
        if frame < self.birth or frame > self.escape:
            return self.column, self.row, 0.0
        age = min(frame, self.frozen) - self.birth
        way = self.calm * (1 - np.exp(-age / self.calm))
        life = max(self.frozen - self.birth, 1e-6)
        # Gas diffuses in: fast at first, from a third of the final size.
        grown = 1 / 3 + 2 / 3 * min(age / life, 1) ** 0.5 if age < life else 1.0
        return (
            float(self.column + self.drift[0] * way),
            float(self.row + self.drift[1] * way),
            float(self.radius * grown),
        )


@dataclass(frozen=True)
class Grain:
    """A partly melted powder grain on the deposit; pixels and frames.

    Attributes:
        column: Its column.
        row: Its row.
        radius: Its radius.
        path_um: Path in it along the beam through its middle.
        arrival: First frame at which it is there.
        melted: Frame at which the melt takes it; infinite if never.
    """

    column: float
    row: float
    radius: float
    path_um: float
    arrival: float
    melted: float


@dataclass(frozen=True)
class Ground:
    """What pores and grains are drawn into.

    Attributes:
        old: Row of the surface at each column before the pass.
        final: State after it.
        height: Rows of the frame.
        pixel_um: Micrometres a pixel.
        slope: Absorbance of a micrometre deep in the deposit.
        travel: The pass.
        dark_share: Share of dark pores.
    """

    old: np.ndarray
    final: np.ndarray
    height: int
    pixel_um: float
    slope: float
    travel: Pass
    dark_share: float


def draw_old_pores(
    rng: np.random.Generator, ground: Ground, ranges: DepositRanges
) -> list[DepositPore]:
    """Pores of earlier passes, under the old surface: frozen, or let out by the melt."""
    pores = []
    for _ in range(draw_integer(rng, ranges.old_pores)):
        radius = draw_log(rng, ranges.pore_diameter_um) / ground.pixel_um / 2
        column = draw(rng, (0, ground.old.size - 1))
        top = float(ground.old[int(column)])
        below = radius + 1 + rng.exponential(0.35) * max(ground.height - top, 1)
        molten = below - radius < ground.travel.melt_depth
        pores.append(
            DepositPore(
                birth=-1.0,
                frozen=-1.0,
                column=column,
                row=top + below,
                drift=(0.0, 0.0),
                calm=1.0,
                radius=radius,
                path_um=_path_um(rng, radius, ground, ranges),
                escape=ground.travel.passes(column) if molten else np.inf,
            )
        )
    return pores


def draw_new_pores(
    rng: np.random.Generator, ground: Ground, flow_px: float, ranges: DepositRanges
) -> list[DepositPore]:
    """Pores of this pass, between the fresh surface and the depth that melts.

    Args:
        rng: Source of randomness.
        ground: Ground on which they form.
        flow_px: Speed of the melt, pixels a frame.
        ranges: Ranges that they are drawn from.
    """
    travel = ground.travel
    pores = []
    for _ in range(draw_integer(rng, ranges.new_pores)):
        column = draw(rng, (0, ground.old.size - 1))
        top = float(ground.final[int(column)])
        room = float(ground.old[int(column)]) + travel.melt_depth - top
        radius = min(draw_log(rng, ranges.pore_diameter_um) / ground.pixel_um / 2, 0.4 * room)
        behind = draw(rng, (0.1, 0.7)) * travel.melt_length
        molten = (travel.melt_length - behind) / abs(travel.step)
        birth = travel.passes(column) + behind / abs(travel.step)
        angle = draw(rng, (0, 2 * np.pi))
        # However fast the melt flows, a pore stays inside the pool.
        calm = min(draw(rng, (0.1, 0.6)) * molten, 0.3 * room / flow_px)
        pores.append(
            DepositPore(
                birth=birth,
                frozen=birth + molten,
                column=column,
                row=top + radius + 1 + draw(rng, (0.1, 0.9)) * max(room - 2 * radius, 0),
                drift=(flow_px * np.cos(angle), flow_px * np.sin(angle)),
                calm=calm,
                radius=radius,
                path_um=_path_um(rng, radius, ground, ranges),
                escape=np.inf,
            )
        )
    return pores


def _path_um(
    rng: np.random.Generator, radius: float, ground: Ground, ranges: DepositRanges
) -> float:
    if rng.random() < ground.dark_share:
        return draw(rng, ranges.dark_absorbance) / ground.slope
    return -draw(rng, ranges.pore_elongation) * 2 * radius * ground.pixel_um


def draw_grains(rng: np.random.Generator, ground: Ground, ranges: DepositRanges) -> list[Grain]:
    """Grains stuck to the old surface, to the fresh one, and to the deposit's sides."""
    travel, columns = ground.travel, ground.old.size
    stuck = rng.poisson(draw(rng, ranges.stuck_per_mm) * columns * ground.pixel_um / 1000)
    fresh = rng.poisson(stuck * draw(rng, ranges.fresh_share))
    faces = draw_integer(rng, ranges.face_grains)
    # Grains lie in patches: a stretch that the stream missed is bare.
    patches = rng.uniform(0, columns, 3)
    grains = []
    for kind in ("old",) * stuck + ("fresh",) * fresh + ("face",) * faces:
        radius = draw_log(rng, ranges.grain_diameter_um) / ground.pixel_um / 2
        near = rng.normal(rng.choice(patches), 0.12 * columns)
        column = float(np.clip(near if rng.random() < 0.7 else rng.uniform(0, columns), 0, columns))
        surface = ground.final if kind == "fresh" else ground.old
        sunk = draw(rng, (-0.6, 1.2)) * radius
        if kind == "face":
            sunk = radius + rng.exponential(0.07) * ground.height
        passes = travel.passes(column)
        cooled = passes + travel.melt_length / abs(travel.step)
        grains.append(
            Grain(
                column=column,
                row=float(surface[min(int(column), columns - 1)]) + sunk,
                radius=radius,
                path_um=draw_log(rng, ranges.grain_path) * 2 * radius * ground.pixel_um,
                arrival=cooled + rng.exponential(60) if kind == "fresh" else -np.inf,
                melted=passes if kind != "fresh" and sunk < travel.melt_depth else np.inf,
            )
        )
    return grains


_EARLIEST = 1 << 20
"""Added to frame numbers, as frames before the laser have negative ones."""


@dataclass(frozen=True)
class Stream:
    """Powder and specks; at 1 kHz a grain crosses the view within a frame or two.

    Attributes:
        seed: With the frame's number, the seed of what flies in that frame.
        grains: Grains in a frame, on average.
        specks: Bright specks in a frame, on average.
        radius: Smallest and largest radius of a grain, pixels.
        streak: Longest way of a grain during the exposure, pixels.
        focus: Half width of the stream at the laser, pixels; above it opens by as much in
            as many rows.
        pixel_um: Micrometres a pixel.
    """

    seed: int
    grains: float
    specks: float
    radius: tuple[float, float]
    streak: float
    focus: float
    pixel_um: float

    def fly(
        self, frame: int, surface: np.ndarray, height: int, laser: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Path in flying grains (um) and brightness of specks, both `(height, width)`.

        Args:
            frame: Number of the frame in the shot.
            surface: Row of the deposit's surface at each column.
            height: Rows of the frame.
            laser: Column that the stream points to; it may lie outside the view.
        """
        rng = np.random.default_rng((self.seed, frame + _EARLIEST))
        powder: np.ndarray = np.zeros((height, surface.size), np.float32)
        specks = np.zeros_like(powder)
        for _ in range(rng.poisson(self.grains)):
            self._grain(rng, powder, surface, laser)
        for _ in range(rng.poisson(self.specks)):
            column = int(rng.integers(surface.size))
            row = int(surface[column] - rng.exponential(0.25) * surface[column])
            at = (column, row)
            cv2.circle(specks, at, int(rng.integers(0, 3)), rng.uniform(0.05, 0.3), -1, cv2.LINE_AA)
        return powder, cv2.GaussianBlur(specks, (0, 0), 0.8)

    def _grain(
        self, rng: np.random.Generator, powder: np.ndarray, surface: np.ndarray, laser: float
    ) -> None:
        above = rng.uniform(0, 1) * max(float(surface.min()), 1.0)
        spread = self.focus + above
        column = laser + spread * rng.normal()
        if not 0 <= column < surface.size:
            return
        end = np.array((column, surface[int(column)] - above))
        radius = draw_log(rng, self.radius)
        way = rng.uniform(0, self.streak) if rng.random() < 0.7 else 0.0
        aim = np.array((laser - column, above)) / max(float(np.hypot(laser - column, above)), 1.0)
        start = end - way * aim
        # Mean path in a ball, thinned as it is smeared over its way.
        path = 4 / 3 * radius * self.pixel_um * 2 * radius / (2 * radius + way)
        low, high = (np.round(16 * end).astype(int).tolist() for end in (start, end))
        streak = np.zeros_like(powder)
        width = max(round(2 * radius), 1)
        cv2.line(streak, low, high, path, width, cv2.LINE_AA, shift=4)
        powder += streak


def draw_stream(rng: np.random.Generator, pixel_um: float, ranges: DepositRanges) -> Stream:
    """Draw the amount and the speed of the powder that flies."""
    low, high = ranges.flying_diameter_um
    return Stream(
        seed=int(rng.integers(2**31)),
        grains=draw(rng, ranges.stream),
        specks=draw(rng, ranges.specks),
        radius=(low / pixel_um / 2, high / pixel_um / 2),
        streak=draw(rng, ranges.streak_um) / pixel_um,
        focus=draw(rng, ranges.focus_um) / pixel_um,
        pixel_um=pixel_um,
    )
