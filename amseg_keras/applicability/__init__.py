"""Whether a recording looks like what a preset knows: `Segmentation.warnings`, in sentences.

Judging needs no network: only frames, their label maps, and the preset's `applicability.json`.
"""

from amseg_keras.applicability.certainty import fit_temperature, reliability, tempered
from amseg_keras.applicability.judge import ApplicabilityWarning, judge
from amseg_keras.applicability.knowledge import Knowledge, read_knowledge, write_knowledge
from amseg_keras.applicability.signs import measure_signs

__all__ = [
    "ApplicabilityWarning",
    "Knowledge",
    "fit_temperature",
    "judge",
    "measure_signs",
    "read_knowledge",
    "reliability",
    "tempered",
    "write_knowledge",
]
