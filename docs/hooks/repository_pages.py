"""Files of the repository in the site: whole ones as pages, sections of them within other pages.

README files and recorded tables are shown as they are, under their own paths, so that what they say
is said once, and links between them work in the repository and on the site. A line

    --8<-- "benchmarks/README.md#pretraining"

in a page becomes the section of that heading.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_PAGES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/**/*.md",
    "demo/README.md",
    "hub/**/README.md",
)

_SHOWN = (".png", ".jpg", ".svg", ".csv")
"""What these pages link to and the site has too; code is left to the repository."""

_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_SECTION = re.compile(r'^--8<-- "([^"#]+)#([^"]+)"$', re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files, and the pictures and tables that they link to."""
    root = Path(config.config_file_path).parent
    for pattern in _PAGES:
        for path in sorted(root.glob(pattern)):
            page = path.relative_to(root).as_posix()
            _add(page, root, files, config)
            for place in _places(page, path.read_text(encoding="utf-8")):
                if place.endswith(_SHOWN) and (root / place).is_file():
                    _add(place, root, files, config)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fetch sections, and point links of repository files to the site."""
    root = Path(config.config_file_path).parent
    shown_in = page.file.src_uri
    if page.file.src_dir == str(root):
        return _Links(shown_in, shown_in, root, files).rewritten(markdown)

    def fetched(line: re.Match[str]) -> str:
        text = _section(root / line[1], line[2])
        return _Links(line[1], shown_in, root, files).rewritten(text)

    return _SECTION.sub(fetched, markdown)


@dataclass(frozen=True)
class _Links:
    """Links of a file, as they are to be in a page.

    Attributes:
        written_in: The file, from the root of the repository.
        shown_in: The page.
        root: Root folder of the repository.
        files: Files of the site.
    """

    written_in: str
    shown_in: str
    root: Path
    files: Files

    def rewritten(self, markdown: str) -> str:
        """The text with its links; those to what the site has not become plain text."""
        parts = _FENCE.split(markdown)
        return "".join(
            part if part.startswith("```") else _LINK.sub(self._one, part) for part in parts
        )

    def _one(self, link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if "://" in target:
            return link[0]
        place = _place(self.written_in, target)
        for uri in (place.removeprefix("docs/"), f"{place}/README.md"):
            if self.files.get_file_from_path(uri):
                here = posixpath.dirname(self.shown_in) or "."
                return f"{text}({posixpath.relpath(uri, here)}{anchor})"
        # A link to nothing stays, and MkDocs complains of it.
        return text[1:-1] if (self.root / place).exists() else link[0]


def _section(path: Path, anchor: str) -> str:
    """Return the text below a heading, up to the next heading of the same level."""
    if not path.is_file():
        raise PluginError(f"{path}: no such file to take a section from")
    text = path.read_text(encoding="utf-8")
    # Comments in code look like headings.
    masked = _FENCE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    headings = list(_HEADING.finditer(masked))
    for number, heading in enumerate(headings):
        if slugify(heading[2], "-") == anchor:
            after = (one for one in headings[number + 1 :] if len(one[1]) <= len(heading[1]))
            end = next((one.start() for one in after), len(text))
            return text[heading.end() : end].strip()
    raise PluginError(f"{path}: has no section #{anchor}")


def _add(uri: str, root: Path, files: Files, config: MkDocsConfig) -> None:
    if files.get_file_from_path(uri) is None:
        files.append(File(uri, str(root), config.site_dir, config.use_directory_urls))


def _places(page: str, text: str) -> Iterator[str]:
    for link in _LINK.finditer(text):
        if "://" not in link[2]:
            yield _place(page, link[2])


def _place(page: str, target: str) -> str:
    """Where a link of a page leads, from the root of the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
