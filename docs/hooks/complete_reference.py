"""The reference shows all that is public: every name in `__all__` of a module that has a page.

A function that is named as the file it is in is hidden by that file from a static analysis; its
page asks for it by its full name, `module.name.name`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_MODULE = re.compile(r"^# (amseg_keras\.[\w.]+)$", re.MULTILINE)
_SHOWN = re.compile(r'id="(amseg_keras[\w.]*)"')


def on_post_build(config: MkDocsConfig) -> None:
    """Fail where a page lacks a name.

    Raises:
        PluginError: Names are missing; the message lists them.
    """
    root = Path(config.config_file_path).parent
    missing = []
    for page in sorted(Path(config.docs_dir, "reference").glob("*.md")):
        module = _MODULE.search(page.read_text(encoding="utf-8"))
        if module is None:
            continue
        html = Path(config.site_dir, "reference", f"{page.stem}.html").read_text(encoding="utf-8")
        shown = set(_SHOWN.findall(html))
        place = root / module[1].replace(".", "/")
        source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        for name in _public(source):
            full = f"{module[1]}.{name}"
            if not {full, f"{full}.{name}"} & shown:
                missing.append(full)
    if missing:
        raise PluginError(f"the reference lacks {', '.join(missing)}")


def _public(path: Path) -> list[str]:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(statement.value)]
    return []
