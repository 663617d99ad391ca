"""Short names of stacks: safe as file names, unique, and the same on every run."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

# Windows refuses these as file names, with any extension.
_RESERVED = {"con", "prn", "aux", "nul"}
_RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
_LONGEST = 100
"""Longest name in bytes; file systems allow 255, with endings behind the name of a stack."""


def safe_name(text: str) -> str:
    """Replace letters of a name that some file system refuses.

    A too long name ends in a few digits of its checksum instead of its end, so that two
    such names stay different.

    Example:
        >>> safe_name("Ti64: 200 W/run 3")
        'Ti64_200_W_run_3'
        >>> len(safe_name(240 * "a")), safe_name(240 * "a") == safe_name(241 * "a")
        (100, False)
    """
    name = re.sub(r"[^\w.\-]+", "_", text).strip("._- ")
    stored = name.encode()
    if len(stored) > _LONGEST:
        mark = "_" + hashlib.blake2b(stored, digest_size=4).hexdigest()
        cut = stored[: _LONGEST - len(mark)].decode("utf-8", "ignore").strip("._- ")
        name = f"{cut}{mark}"
    if not name:
        return "stack"
    return f"{name}_" if name.split(".")[0].casefold() in _RESERVED else name


def cell_text(name: str) -> str:
    """Write the name of a file so that a spreadsheet takes it for no formula; the path is the same.

    Example:
        >>> cell_text("=1+1.tif"), cell_text("scan_07.tif")
        ('./=1+1.tif', 'scan_07.tif')
    """
    return f"./{name}" if name[:1] in ("=", "+", "-", "@") else name


def unique_names(parts: Sequence[tuple[str, str, str]]) -> list[str]:
    """Give each ``(parent folder, name, extension)`` a distinct name.

    A name that occurs once stays. Others get the parent folder in front, or the extension behind,
    or both, whichever is the first to tell them all apart; failing that, a number too. Upper and
    lower case count as the same, as they do on many disks.

    Example:
        >>> unique_names([("a", "run", "tif"), ("b", "run", "tif"), ("b", "plate", "tif")])
        ['a_run', 'b_run', 'plate']
    """
    names = [safe_name(name) for _, name, _ in parts]
    count = Counter(name.casefold() for name in names)
    taken = {name for name, times in count.items() if times == 1}
    for clash in [name for name, times in count.items() if times > 1]:
        members = [index for index, name in enumerate(names) if name.casefold() == clash]
        for build in _BUILDERS:
            proposed = [safe_name(build(*parts[index])) for index in members]
            folded = {name.casefold() for name in proposed}
            if len(folded) == len(members) and not folded & taken:
                break
        else:
            proposed = _numbered(proposed, taken)
        for index, name in zip(members, proposed, strict=True):
            names[index] = name
            taken.add(name.casefold())
    return names


_BUILDERS: tuple[Callable[[str, str, str], str], ...] = (
    lambda parent, name, extension: f"{parent}_{name}",
    lambda parent, name, extension: f"{name}_{extension}",
    lambda parent, name, extension: f"{parent}_{name}_{extension}",
)


def _numbered(names: Sequence[str], taken: set[str]) -> list[str]:
    used = set(taken)
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in used:
            number += 1
            candidate = f"{name}_{number}"
        used.add(candidate.casefold())
        result.append(candidate)
    return result
