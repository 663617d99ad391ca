"""Shared by the panels: work in a thread with progress and cancel, messages, choices of layers."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from amseg_keras.napari.layers import NO_RECORDING
from amseg_keras.napari.worker import StoppedError, Tell
from amseg_keras.outputs import OutputError
from amseg_keras.pretrained import PresetError
from amseg_keras.read import ReadError

_LOGGER = logging.getLogger(__name__)

RESULTS = Path.home() / "amseg-results"
"""Folder of the results by default."""

_UNKNOWN = "-"
_LARGEST = 1e7


class Job(QObject):
    """A function that runs in a thread of its own.

    Args:
        work: Function; it is given the function to tell progress to.
    """

    told = Signal(int, int, str)
    done = Signal(object)
    failed = Signal(str)
    stopped = Signal()

    def __init__(self, work: Callable[[Tell], Any]) -> None:
        super().__init__()
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the work the next time that it tells its progress."""
        self._stop.set()

    def __call__(self, done: int, of: int, what: str) -> None:
        """Tell progress."""
        self.check()
        self.told.emit(done, of, what)

    def check(self) -> None:
        """Raise `StoppedError` if the user cancelled."""
        if self._stop.is_set():
            raise StoppedError

    def _run(self) -> None:
        try:
            result = self._work(self)
        except StoppedError:
            self.stopped.emit()
        except (ReadError, OutputError, PresetError, ValueError, ImportError, OSError) as error:
            self.failed.emit(str(error))
        except Exception as error:
            _LOGGER.error("%s", traceback.format_exc())
            self.failed.emit(f"an error of the program, which the log has: {error!r}")
        else:
            self.done.emit(result)


class Panel(QWidget):
    """A form, buttons, a bar of progress and a message."""

    finished = Signal()
    """A job has ended, well or not."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.job: Job | None = None
        self.form = QFormLayout()
        self.buttons = QHBoxLayout()
        self.bar = QProgressBar()
        self.bar.hide()
        self.cancel = QPushButton("Cancel")
        self.cancel.setEnabled(False)
        self.cancel.clicked.connect(self.stop)
        self.message = QLabel("")
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body = QVBoxLayout()
        self.body.addLayout(self.form)
        self.body.addLayout(self.buttons)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.message)
        self.body.addStretch()
        self.setLayout(self.body)

    def button(self, text: str, pressed: Callable[[], Any]) -> QPushButton:
        """Add a button."""
        made = QPushButton(text)
        made.clicked.connect(lambda: self.safely(pressed))
        self.buttons.addWidget(made)
        return made

    def safely(self, function: Callable[[], Any]) -> Any:
        """Call a function, and show errors of its input in the panel."""
        try:
            return function()
        except (ReadError, OutputError, PresetError, ValueError) as error:
            self.say(str(error), wrong=True)
        return None

    def say(self, text: str, wrong: bool = False) -> None:
        """Show a message.

        Args:
            wrong: Whether it is an error, which napari shows too.
        """
        self.message.setText(text)
        self.message.setStyleSheet("color: #ff6b6b" if wrong else "")
        if wrong:
            show_error(text)

    def start(self, work: Callable[[Tell], Any], then: Callable[[Any], None]) -> None:
        """Run work in a thread; what it gives goes to a function in the thread of the window.

        Raises:
            ValueError: Work of this panel is running.
        """
        if self.job is not None:
            raise ValueError("something is running in this panel; wait for it, or cancel it")
        job = self.job = Job(work)
        job.told.connect(self._show)
        job.done.connect(lambda result: self._end(lambda: then(result)))
        job.failed.connect(lambda text: self._end(lambda: self.say(text, wrong=True)))
        job.stopped.connect(lambda: self._end(lambda: self.say("Cancelled.")))
        self.bar.setRange(0, 0)
        self.bar.show()
        self.cancel.setEnabled(True)
        job.start()

    def stop(self) -> None:
        """Cancel what is running."""
        if self.job is not None:
            self.job.stop()
            self.say("Cancelling ...")

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - the name is Qt's
        """Cancel what is running when the panel goes."""
        self.stop()
        super().closeEvent(event)

    def _show(self, done: int, of: int, what: str) -> None:
        self.bar.setRange(0, of)
        self.bar.setValue(done)
        self.message.setStyleSheet("")
        self.message.setText(what)

    def _end(self, last: Callable[[], None]) -> None:
        self.job = None
        self.bar.hide()
        self.cancel.setEnabled(False)
        self.safely(last)
        self.finished.emit()


class LayerChoice(QComboBox):
    """A choice among the layers of a kind."""

    def __init__(self, viewer: napari.Viewer, kind: type[Layer], follow: bool = True) -> None:
        super().__init__()
        self._viewer, self._kind, self._follow = viewer, kind, follow
        viewer.layers.events.inserted.connect(self._fill)
        viewer.layers.events.removed.connect(self._fill)
        self._fill()
        self.destroyed.connect(self._leave)

    @property
    def layer(self) -> Any:
        """The chosen layer.

        Raises:
            ReadError: There is none.
        """
        if self.currentText() not in self._viewer.layers:
            raise ReadError("there is no layer to work on; open a recording first")
        return self._viewer.layers[self.currentText()]

    def choose(self, name: str) -> None:
        """Choose a layer by its name."""
        self.setCurrentText(name)

    def _fill(self, event: Any = None) -> None:
        chosen = self.currentText()
        names = [layer.name for layer in self._viewer.layers if self._offers(layer)]
        added = event is not None and event.type == "inserted" and self._offers(event.value)
        if added and (self._follow or not chosen):
            chosen = event.value.name
        self.clear()
        self.addItems(names)
        if names:
            self.setCurrentText(chosen if chosen in names else names[-1])

    def _offers(self, layer: Layer) -> bool:
        return type(layer) is self._kind and layer.metadata != NO_RECORDING

    def _leave(self) -> None:
        self._viewer.layers.events.inserted.disconnect(self._fill)
        self._viewer.layers.events.removed.disconnect(self._fill)


class FolderField(QWidget):
    """A line with a path and a button to look for one.

    Args:
        is_file: Whether a file is wanted.
    """

    def __init__(self, path: str | Path, is_file: bool = False) -> None:
        super().__init__()
        self.line = QLineEdit(str(path))
        button = QPushButton("...")
        button.setMaximumWidth(32)
        button.clicked.connect(self._look)
        self._is_file = is_file
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line)
        row.addWidget(button)
        self.setLayout(row)

    @property
    def path(self) -> Path:
        """The path."""
        return Path(self.line.text()).expanduser()

    def _look(self) -> None:
        if self._is_file:
            found, _ = QFileDialog.getOpenFileName(self, "File", self.line.text())
        else:
            found = QFileDialog.getExistingDirectory(self, "Folder", self.line.text())
        if found:
            self.line.setText(found)


def optional_number(suffix: str, decimals: int = 3) -> QDoubleSpinBox:
    """Make a field for a number above 0; at 0 it is not known."""
    box = QDoubleSpinBox()
    box.setRange(0, _LARGEST)
    box.setDecimals(decimals)
    box.setSuffix(f" {suffix}")
    box.setSpecialValueText(_UNKNOWN)
    return box


def known(value: float) -> float | None:
    """Give a number of such a field; None at 0."""
    return value or None
