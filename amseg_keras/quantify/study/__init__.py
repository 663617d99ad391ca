"""Many experiments together: correlation of keyholes and pores, errors against true labels."""

from amseg_keras.quantify.study.correlation import (
    CovarianceEllipse,
    correlations,
    covariance_ellipse,
)
from amseg_keras.quantify.study.dividing_line import DividingLine, dividing_line
from amseg_keras.quantify.study.errors import error_statistics, frame_errors
from amseg_keras.quantify.study.experiments import (
    experiments_table,
    keyhole_frames,
    largest_keyhole_pore,
)
from amseg_keras.quantify.study.plane import Plane, describe_plane
from amseg_keras.quantify.study.study import Study, study_experiments

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
