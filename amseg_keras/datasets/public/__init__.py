"""Public data sets, their owners and licences; download their files and make a data set.

None of the published files is in this package.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import httpx

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets.dataset import Dataset, LabelledFrame, write_frame
from amseg_keras.datasets.public.aps_ti64 import make_aps_ti64
from amseg_keras.datasets.public.hpdc_video import make_hpdc_video
from amseg_keras.read import ReadError, open_stack

__all__ = ["SOURCES", "DownloadError", "PublicFile", "PublicSource", "download", "make_dataset"]


_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class PublicFile:
    """A published file.

    Attributes:
        name: Name of the downloaded file.
        url: Address of the file, pinned to a commit, so that it stays the same file.
        sha256: Checksum in hexadecimal. None if this project never had the file; the
            checksum of what arrived is then shown and recorded instead.
    """

    name: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class PublicSource:
    """A data set that can be made from published files.

    Attributes:
        name: Name for `amseg dataset fetch`.
        title: Description of the data in one line.
        files: All the files that it is made of.
        size: Size of the download, in words.
        licence: Licence of the owners, in words.
        citation: Text to cite.
        page: Web page of the data set.
        from_what: Files for `--from`, in words.
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


Progress = Callable[[int, int | None], object]
"""Called with the bytes so far and all bytes; None if the server sends no Content-Length."""

ATTEMPTS = 4
"""Most failures in a row without a new byte."""

WAIT_S = 1.0
"""Pause before the second attempt; it doubles with each further one."""

_TIMEOUT_S = 30.0
_WORTH_ANOTHER_TRY = (408, 429)


class DownloadError(RuntimeError):
    """A file that could not be downloaded; the message is one sentence for the user."""


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(file: PublicFile, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download a file into a folder unless it is there, going on where an earlier call stopped.

    What has arrived is kept in `NAME.part` until it is complete and its checksum right, so the
    file itself is never half there. Two processes should not download the same file at once.

    Returns:
        Where it is.

    Raises:
        DownloadError: There is no connection, no such file, or it is not the file expected.
        OSError: The folder cannot be written.
    """
    target = folder / file.name
    if target.is_file() and file.sha256 in (None, sha256_of(target)):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part, version = target.with_name(f"{file.name}.part"), target.with_name(f"{file.name}.version")
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client:
        failures, most = 0, _size(part)
        while True:
            try:
                if _go_on(client, file.url, (part, version), progress):
                    break
            except httpx.HTTPError as error:
                # Counted anew only when more is there than ever before, so this comes to an end.
                failures = 1 if _size(part) > most else failures + 1
                most = max(most, _size(part))
                if failures >= ATTEMPTS:
                    raise DownloadError(
                        f"{file.url}: cannot be downloaded ({_reason(error)})"
                    ) from error
                time.sleep(WAIT_S * 2 ** (failures - 1))
    version.unlink(missing_ok=True)
    found = sha256_of(part)
    if file.sha256 is not None and found != file.sha256:
        part.unlink()
        raise DownloadError(
            f"{file.url}: what arrived has the SHA-256 {found}, not the {file.sha256} known here; "
            "the file was changed there or on the way"
        )
    os.replace(part, target)
    return target


def _go_on(client: httpx.Client, url: str, kept: tuple[Path, Path], progress: Progress) -> bool:
    """Request the missing bytes once; return whether the file is complete now."""
    part, version = kept
    have = _size(part) if version.is_file() else 0
    # A compressed answer would have other offsets than the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as answer:
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if answer.status_code == 416 and have:
            complete = answer.headers.get("Content-Range") == f"bytes */{have}"
            if complete and tag in ("", version.read_text("utf-8")):
                return True
            part.unlink()
            return False
        if 400 <= answer.status_code < 500 and answer.status_code not in _WORTH_ANOTHER_TRY:
            raise DownloadError(
                f"{url}: the server refuses it ({answer.status_code} {answer.reason_phrase}); "
                "the owners may have moved it"
            )
        answer.raise_for_status()
        if answer.status_code == 206:
            span = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if not span or int(span[1]) != have or tag != version.read_text("utf-8"):
                part.unlink()  # another file than the one that was begun
                return False
        else:
            have = 0
            part.unlink(missing_ok=True)
            # Without a version, a later call cannot know whether the beginning belongs to the rest.
            version.unlink(missing_ok=True)
            if tag:
                version.write_text(tag, "utf-8")
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab") as out:
            # As it comes off the line: larger pieces would be lost when it breaks.
            for piece in answer.iter_bytes():
                out.write(piece)
                progress(out.tell(), total)
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return " ".join(str(error).split())[:160] or type(error).__name__


_PROCESSES = ("lpbf", "welding")
_SHAPE = (256, 512)
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def make_esrf_test_images(given: Path, folder: Path, advance: Callable[[], object]) -> Dataset:
    """Turn the pictures into frames without labels.

    Args:
        given: The folder that holds them, or one of them; they are told by their names, in which
            the process is ("LPBF.jpg", "2. Welding.jpg"), whatever else the folder holds.

    Raises:
        ReadError: There is none, or one has another size than 256x512.
    """
    files = sorted(given.iterdir()) if given.is_dir() else [given]
    frames = []
    for process in _PROCESSES:
        for file in files:
            if process not in file.name.lower() or file.suffix.lower() not in _PICTURES:
                continue
            with open_stack(file) as stack:
                image = stack[0]
            if image.shape != _SHAPE:
                raise ReadError(
                    f"{file}: is {image.shape[0]}x{image.shape[1]}, the ESRF test images are "
                    "256x512; give the authors' own files"
                )
            about = LabelledFrame(
                "",
                None,
                f"esrf_{process}",
                1,
                facility="esrf",
                process=process,
                other={"frame_rate_Hz": 40_000, "published_as": file.name},
            )
            frames.append(write_frame(folder, image, None, about))
            advance()
            break
    if not frames:
        raise ReadError(
            f"{given}: is or holds no picture with LPBF or Welding in its name; "
            "download them from the authors' folder 'Test images'"
        )
    return Dataset(
        folder,
        CLASS_NAMES,
        tuple(frames),
        pixel_size_um=4.31,
        origin="Real frames from ESRF, published as test images of AM-SegNet, without labels.",
    )


_MAKERS: dict[str, Callable[[Path, Path, Callable[[], object]], Dataset]] = {
    "hpdc-video": make_hpdc_video,
    "esrf-test-images": make_esrf_test_images,
    "aps-ti64-ampere": make_aps_ti64,
}


def make_dataset(
    name: str, given: Path, folder: Path, advance: Callable[[], object] = lambda: None
) -> Dataset:
    """Turn published files into a data set; `dataset.json` is written last.

    Args:
        name: Name out of `SOURCES`.
        given: The file or folder as its owners publish it.
        folder: Folder of the data set; its files are overwritten.

    Returns:
        The data set; its `other["fetched"]` says what it was made from, its licence and citation.

    Raises:
        ReadError: The file or folder is not what it should be.
        KeyError: No such name.
    """
    source = SOURCES[name]
    made = _MAKERS[name](given, folder, advance)
    names = [frame.other.get("published_as") for frame in made.frames]
    files = [given] if given.is_file() else [given / str(name) for name in names]
    fetched = {
        "name": name,
        "page": source.page,
        "licence": source.licence,
        "citation": source.citation,
        "sha256": {file.name: sha256_of(file) for file in files},
    }
    made = replace(made, other={**made.other, "fetched": fetched})
    made.save()
    return made
