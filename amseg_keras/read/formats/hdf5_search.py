"""Which dataset of an HDF5 file is meant."""

from collections.abc import Iterator

import h5py

from amseg_keras.read.errors import ReadError

_SMALLEST_PICTURE = 16
_LISTED = 8


def find_dataset(file: h5py.File, label: str, dataset: str | None) -> tuple[str, tuple[str, ...]]:
    """The path of the dataset to read, and notes on how it was found.

    Args:
        file: Open file.
        label: The file as given, for errors.
        dataset: The path the user named; None follows the NeXus attributes, and without them
            takes the only image stack there is.

    Raises:
        ReadError: There is no such dataset, or not exactly one to choose.
    """
    if dataset is not None:
        found = file.get(dataset)
        if isinstance(found, h5py.Dataset):
            return "/" + dataset.strip("/"), ()
        what = "is no dataset of this file" if found is None else "is a group, not a dataset"
        there = [(name, item) for name, item in _walk(file) if item is not None]
        raise ReadError(f"{label}::{dataset}: {what}; there are {_listing(label, there)}")
    name = _nexus_signal(file)
    if name is not None:
        return name, (f"dataset {name} taken, as the NeXus attributes of the file say",)
    items = list(_walk(file))
    candidates = [(name, item) for name, item in items if item is not None and _is_stack(item)]
    broken = [name for name, item in items if item is None]
    missing = f"; links to missing files: {', '.join(broken[:_LISTED])}" if broken else ""
    if len(candidates) == 1:
        note = f"dataset {candidates[0][0]} taken, the only image stack of the file{missing}"
        return candidates[0][0], (note,)
    if candidates:
        raise ReadError(
            f"{label}: holds {len(candidates)} image stacks, name one of them: "
            f"{_listing(label, candidates)}"
        )
    there = [(name, item) for name, item in items if item is not None]
    raise ReadError(
        f"{label}: holds no image stack (numbers in 2-D or 3-D){missing}; "
        f"there are {_listing(label, there)}"
    )


def stack_axes(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Axes of a dataset that are (frames, height, width) or (height, width); None if it has none.

    Example:
        >>> stack_axes((25, 1, 400, 1024))
        (0, 2, 3)
    """
    if shape is None or 0 in shape or len(shape) not in (2, 3, 4):
        return None
    axes = list(range(len(shape)))
    if len(shape) == 4:
        # A channel or detector axis stands second, last or first.
        single = next((axis for axis in (1, 3, 0, 2) if shape[axis] == 1), None)
        if single is None:
            return None
        axes.remove(single)
    return tuple(axes)


def describe(dataset: h5py.Dataset) -> str:
    """Shape and dtype for a message, such as ``25 x 400 x 1024 uint16``."""
    shape = " x ".join(map(str, dataset.shape or ())) or "of a single value"
    return f"{shape} {dataset.dtype}"


def _is_stack(dataset: h5py.Dataset) -> bool:
    axes = stack_axes(dataset.shape)
    if axes is None or dataset.dtype.kind not in "buif":
        return False
    return len(axes) == 3 or min(dataset.shape) >= _SMALLEST_PICTURE


def _nexus_signal(file: h5py.File) -> str | None:
    """Follow `default` from group to group, then `signal`; None where they lead to no stack."""
    group: h5py.Group = file
    for _ in range(8):
        default = group.attrs.get("default")
        following = group.get(_text(default)) if default is not None else None
        if not isinstance(following, h5py.Group):
            break
        group = following
    signal = group.attrs.get("signal")
    found = group.get(_text(signal)) if signal is not None else None
    if isinstance(found, h5py.Dataset) and _is_stack(found):
        return f"{group.name.rstrip('/')}/{_text(signal)}"
    return None


def _text(attribute: object) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)


def _walk(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset | None]]:
    """Every dataset below a group once, under its first path; None for a broken link.

    `visititems` would do but for soft and external links, which it leaves out; detectors that
    write a master file with one external link for each data file need them.
    """
    seen: set[tuple[int, int]] = set()
    pending = [("", group)]
    while pending:
        prefix, parent = pending.pop(0)
        for key in parent:
            name = f"{prefix}/{key}"
            try:
                item = parent[key]
                address = h5py.h5o.get_info(item.id)
            except (KeyError, OSError):
                yield name, None
                continue
            if (address.fileno, address.addr) in seen:
                continue
            seen.add((address.fileno, address.addr))
            if isinstance(item, h5py.Group):
                pending.append((name, item))
            elif isinstance(item, h5py.Dataset):
                yield name, item


def _listing(label: str, datasets: list[tuple[str, h5py.Dataset]]) -> str:
    if not datasets:
        return "no datasets in it"
    listed = [f"{label}::{name} ({describe(item)})" for name, item in datasets[:_LISTED]]
    more = len(datasets) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")
