"""Keep corrected frames of a visitor as data sets, and tune networks on them."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amseg_keras.corrections import Corrections
from amseg_keras.datasets.dataset import read_dataset_file
from amseg_keras.demo.recordings import CANCELLED, DONE, FAILED, READY, RUNNING, WAITING, Recording
from amseg_keras.demo.workers import UNKNOWN, JobError, JobStopped, Pool
from amseg_keras.pretrained import PresetError, PresetInfo, find_preset, list_presets
from amseg_keras.pretrained.preset import read_info


class Networks:
    """Presets by name; no network is loaded here.

    Args:
        given: First presets, by the owner of the server: names, folders or repositories; after
            them come the presets of the package.

    Raises:
        PresetError: A given preset cannot be found.
    """

    def __init__(self, given: Sequence[str | os.PathLike[str]] = ()) -> None:
        self.folders: dict[str, Path] = {}
        self.infos: dict[str, PresetInfo] = {}
        self._lock = threading.Lock()
        for preset in (*given, *list_presets()):
            # Visitors see the name of a folder, not its place.
            name = os.fspath(preset).removeprefix("hf://")
            name = Path(name).resolve().name if Path(name).is_dir() else name
            if name not in self.folders:
                self.add(name, find_preset(preset))
        if not self.folders:
            raise PresetError("there is no preset here; give one with --model")

    def add(self, name: str, folder: Path) -> None:
        """Offer another preset."""
        with self._lock:
            self.infos[name] = read_info(folder, name)
            self.folders[name] = folder


_LOGGER = logging.getLogger(__name__)


@dataclass
class Teaching:
    """The last teaching of a visitor.

    Attributes:
        state: As in a recording.
        said: Present step, or the error, in a sentence.
        share: Part of it that is done, 0 to 1.
        scores: Rows of `Taught.scores`; None before the end.
        preset: Name of the tuned network; None before the end.
        stop: Event that stops the teaching.
    """

    state: str = READY
    said: str = ""
    share: float = 0.0
    scores: list[dict[str, Any]] | None = None
    preset: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)


class Lessons:
    """The corrected frames of a visitor, and the networks that learned from them."""

    def __init__(self, folder: Path, networks: Networks, pool: Pool, seconds: float) -> None:
        self.teaching = Teaching()
        self._folder, self._networks, self._pool, self._seconds = folder, networks, pool, seconds
        self._tuned: dict[str, Path] = {}
        self._lock = threading.RLock()

    @property
    def presets(self) -> dict[str, Path]:
        """Folder of each network that this visitor can choose, by its name."""
        return {**self._tuned, **self._networks.folders}

    @property
    def corrections(self) -> Path:
        """Folder of the data sets of corrected frames."""
        return self._folder / "corrections"

    def folder_of(self, class_names: tuple[str, ...]) -> Path:
        """Return the folder of the corrected frames with these classes, which may be missing."""
        name = hashlib.sha256("\n".join(class_names).encode()).hexdigest()[:8]
        return self.corrections / f"corrected-{name}"

    def kept(self, class_names: tuple[str, ...]) -> Corrections:
        """Return the data set of corrected frames with these classes."""
        return Corrections(self.folder_of(class_names), class_names)

    def use_for_training(self, recording: Recording, frame: int, wanted: bool) -> None:
        """Keep a frame with its present labels for teaching, or take it out again.

        Args:
            frame: Number of the frame, from 0.
            wanted: Whether to keep it.
        """
        assert recording.labels is not None
        with self._lock:
            kept, name = self.kept(recording.labels.class_names), _sequence(recording)
            if wanted:
                kept.keep(name, frame, recording.frames[frame], recording.labels[frame])
                if not recording.training:
                    kept.keep_neighbours(name, recording.frames)
                recording.training.add(frame)
            elif frame in recording.training:
                kept.take_out(name, frame)
                recording.training.discard(frame)

    def put_back(self, recording: Recording) -> str:
        """Put corrections of an earlier segmentation into the new labels, and say how many."""
        assert recording.labels is not None
        kept = self.kept(recording.labels.class_names)
        back = kept.put_into(recording.labels, _sequence(recording))
        recording.training = set(back)
        if not back:
            return ""
        return f"{len(back)} corrected frame{'s' * (len(back) != 1)} put back"

    def forget(self, recording: Recording) -> None:
        """Take all corrected frames of a recording out."""
        with self._lock:
            for kept in self.corrections.glob("*/dataset.json"):
                names = read_dataset_file(kept.parent).class_names
                Corrections(kept.parent, names).forget(_sequence(recording))

    def teach(self, recording: Recording, epochs: int) -> None:
        """Teach the network of a recording from all corrected frames with its classes.

        Raises:
            JobError: A teaching is running, or nothing is segmented.
        """
        if self.teaching.state in (WAITING, RUNNING):
            raise JobError("a network is being taught already; wait for it or cancel it")
        if recording.labels is None:
            raise JobError(f"{recording.name}: is not segmented yet; segment and correct it first")
        teaching = self.teaching = Teaching(WAITING, "waiting")
        start = recording.chosen.preset
        kept = self.folder_of(recording.labels.class_names)
        arguments = {
            "folder": str(self._folder),
            "corrections": str(kept),
            "preset": str(self.presets[start]),
            "epochs": epochs,
        }

        def told(stage: str, share: float) -> None:
            teaching.state, teaching.said, teaching.share = RUNNING, stage, share

        def work() -> None:
            try:
                made = self._pool.do("teach", arguments, self._seconds, teaching.stop, told)
                name = self._new_name(start)
                self._tuned[name] = Path(made["preset"])
                teaching.preset, teaching.scores = name, made["scores"]
                teaching.state, teaching.share = DONE, 1.0
                teaching.said = f"taught in {made['seconds']:.0f} s"
            except JobStopped:
                teaching.state, teaching.said = CANCELLED, "cancelled"
            except JobError as error:
                teaching.state, teaching.said = FAILED, str(error).replace(str(kept), "corrections")
            except Exception:
                _LOGGER.exception("a teaching failed")
                teaching.state, teaching.said = FAILED, UNKNOWN

        threading.Thread(target=work, daemon=True).start()

    def preset_folder(self, name: str) -> Path:
        """Return the folder of a tuned network.

        Raises:
            KeyError: This visitor has no network of this name.
        """
        return self._tuned[name]

    def info(self, name: str) -> dict[str, Any]:
        """Describe a network for the page."""
        folder = self.presets[name]
        info = self._networks.infos.get(name) or read_info(folder, name)
        return {
            "name": name,
            "classes": list(info.class_names),
            "trained_on": info.trained_on,
            "tuned": name in self._tuned,
        }

    def _new_name(self, start: str) -> str:
        stem = start.partition("-taught")[0]
        number = 1 + len(self._tuned)
        return f"{stem}-taught-{number}"


def _sequence(recording: Recording) -> str:
    # Two recordings of the same name are two sequences.
    return f"{recording.name}-{recording.number}"
