"""Output folders of runs: who writes into one, which run it belongs to, which frames are done."""

from amseg_keras.outputs.files import (
    UNFINISHED,
    CannotWriteError,
    OutputError,
    OutputFiles,
    OutputTakenError,
    read_record,
    result_of_another,
    write_json,
)
from amseg_keras.outputs.folder import IDENTITY, OutputFolder
from amseg_keras.outputs.identity import (
    InputContent,
    InputPlace,
    RunIdentity,
    input_content,
    input_place,
    network_settings,
    stack_identity,
)
from amseg_keras.outputs.label_store import LabelStore, StoreDamagedError

__all__ = [
    "IDENTITY",
    "UNFINISHED",
    "CannotWriteError",
    "InputContent",
    "InputPlace",
    "LabelStore",
    "OutputError",
    "OutputFiles",
    "OutputFolder",
    "OutputTakenError",
    "RunIdentity",
    "StoreDamagedError",
    "input_content",
    "input_place",
    "network_settings",
    "read_record",
    "result_of_another",
    "stack_identity",
    "write_json",
]
