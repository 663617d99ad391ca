"""Many experiments together: correlation of keyholes and pores, errors against true labels."""

from amseg_keras.quantify.study.correlation import (
    CovarianceEllipse,
    correlations,
    covariance_ellipse,
)
from amseg_keras.quantify.study.errors import error_statistics, frame_errors
from amseg_keras.quantify.study.plane import DividingLine, Plane, describe_plane, dividing_line
from amseg_keras.quantify.study.study import (
    Study,
    experiments_table,
    keyhole_frames,
    largest_keyhole_pore,
    study_experiments,
)

__all__ = [
    "CovarianceEllipse",
    "DividingLine",
    "Plane",
    "Study",
    "correlations",
    "covariance_ellipse",
    "describe_plane",
    "dividing_line",
    "error_statistics",
    "experiments_table",
    "frame_errors",
    "keyhole_frames",
    "largest_keyhole_pore",
    "study_experiments",
]
