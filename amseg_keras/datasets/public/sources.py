"""What is published where, by whom, and under which licence; nothing of it is in this package."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class PublicFile:
    """A file that somebody publishes.

    Attributes:
        name: What it is called once downloaded.
        url: Where it is, pinned to a commit, so that it stays the same file.
        sha256: Its checksum in hexadecimal, None where nobody here has had the file in hand; the
            checksum of what arrived is then shown and recorded instead.
    """

    name: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class PublicSource:
    """A data set that can be made from published files.

    Attributes:
        name: What `amseg dataset fetch` calls it.
        title: What it holds, in one line.
        files: All the files that it is made of.
        size: How much is downloaded, in words.
        licence: What the owners say about using it.
        citation: What to cite.
        page: Where a person finds it.
        from_what: What to give to `--from`.
    """

    name: str
    title: str
    files: tuple[PublicFile, ...]
    size: str
    licence: str
    citation: str
    page: str
    from_what: str


def _github(repository: str, commit: str, path: str, sha256: str | None = None) -> PublicFile:
    name = path.rsplit("/", 1)[-1]
    return PublicFile(name, f"{_RAW}/{repository}/{commit}/{quote(path)}", sha256)


_AMSEGNET = "UCL-MSMaH/AM-SegNet"
_AMSEGNET_LICENCE = (
    "none stated in the repository, so the authors keep all rights: use the files for your own "
    "work, and ask the authors before you pass them on"
)
_AMSEGNET_CITATION = (
    "W. Li, R. Lambert-Garcia, A. C. M. Getley, K. Kim, S. Bhagavath, M. Majkut, A. Rack, "
    "P. D. Lee, C. L. A. Leung: AM-SegNet for additive manufacturing in situ X-ray image "
    "segmentation and feature quantification. Virtual and Physical Prototyping 19 (2024) "
    "e2325572, https://doi.org/10.1080/17452759.2024.2325572"
)
_AMPERE = "gb-murray/AMPERe"

_ALL = (
    PublicSource(
        name="hpdc-video",
        title="die casting, 256x512, pores as the authors labelled and as they predicted them",
        files=(
            # Not in hand when this table was written: no checksum.
            _github(
                _AMSEGNET,
                "4ddb3215806ea55ce0684055b49fba2327882584",
                "Videos/Supplementary Video S2.mp4",
            ),
        ),
        size="one video, size shown on download",
        licence=_AMSEGNET_LICENCE,
        citation=_AMSEGNET_CITATION,
        page=f"https://github.com/{_AMSEGNET}/tree/main/Videos",
        from_what="the video file, or the beginning of it",
    ),
    PublicSource(
        name="esrf-test-images",
        title="two frames of powder bed fusion and welding at ESRF, 256x512, no labels",
        files=(
            _github(
                _AMSEGNET,
                "8c71759fb361b11d5feb829be991bf9cfbe4901e",
                "Test images/LPBF.jpg",
                "0ce984c9aa8be6672970652590a16147613fe23aaed5483964334f59bf412048",
            ),
            _github(
                _AMSEGNET,
                "27a1b1d73652ba0dccee6580308f4dcaa70ebf24",
                "Test images/2. Welding.jpg",
                "793a1eb5c2fc14df43374cfc270e018c49e725ca844af772b26e1867ac53f6df",
            ),
        ),
        size="0.1 MB",
        licence=_AMSEGNET_LICENCE,
        citation=_AMSEGNET_CITATION,
        page=f"https://github.com/{_AMSEGNET}/tree/main/Test%20images",
        from_what="the folder with the two pictures, or one of them",
    ),
    PublicSource(
        name="aps-ti64-ampere",
        title="a keyhole in a Ti-6Al-4V plate at APS, 400x1024, labelled semi-automatically",
        files=tuple(
            # In hand were 25 of the frames under other names: no checksums by name.
            _github(
                _AMPERE,
                "a786e66d87b5b786e9cca521db56debcf862ac76",
                f"sample_input/299_Ti64_plate_P200S0 ({number}).tif",
            )
            for number in range(1, 51)
        ),
        size="50 frames, 41 MB",
        licence="GPL-3.0",
        citation=(
            "AMPERe, Automated Melt Pool Edge Renderer, https://github.com/gb-murray/AMPERe; "
            "its README names R. Wang, D. Garcia, R. R. Kamath et al.: In situ melt pool "
            "measurements for laser powder bed fusion using multi sensing and correlation "
            "analysis. Scientific Reports 12 (2022) 13716, "
            "https://doi.org/10.1038/s41598-022-18096-w"
        ),
        page=f"https://github.com/{_AMPERE}/tree/main/sample_input",
        from_what="the folder with the numbered frames",
    ),
)

SOURCES: dict[str, PublicSource] = {source.name: source for source in _ALL}
"""By name."""
