"""What the site takes from the repository beside `docs/`: pages and files that documents link to.

A document links to its neighbours in the repository (`../benchmarks/results/detection.md`), so that the link
works there too. On the site the neighbour becomes a page or a file below `repository/`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHELF = "repository"
_LINK = re.compile(r"(?P<before>\]\()(?P<to>[^)\s#:]+)(?P<anchor>#[^)]*)?\)")
_SHIM = ROOT / "frontend" / "node_modules" / "iframe-worker" / "shim" / "index.js"
_SHIM_PLACE = "assets/javascripts/iframe-worker.js"
_SHIM_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that stand in the navigation and are linked to by nobody else."""


def _place(page: str) -> PurePosixPath:
    """Return where a page of the site lies in the repository."""
    inner = page.removeprefix(f"{SHELF}/")
    return PurePosixPath(inner) if inner != page else PurePosixPath("docs") / page


def _on_site(target: str) -> str:
    """Return the place on the site of a path in the repository."""
    inside = target.removeprefix("docs/")
    return inside if inside != target else f"{SHELF}/{target}"


def _targets(page: str, text: str) -> list[str]:
    """Return the files of the repository outside of `docs/` that a page links to."""
    where = _place(page).parent
    found = dict.fromkeys(normpath(str(where / match["to"])) for match in _LINK.finditer(text))
    return [path for path in found if not path.startswith(("docs/", "..")) and (ROOT / path).is_file()]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to, and what that links to."""
    if not _SHIM.is_file():
        raise PluginError(f"{_SHIM.relative_to(ROOT)} is missing; run: make page")
    files.append(File.generated(config, _SHIM_PLACE, abs_src_path=str(_SHIM)))
    waiting = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    waiting.append((f"{SHELF}/README.md", "".join(f"[]({name}) " for name in _PAGES)))
    while waiting:
        page, text = waiting.pop()
        for path in _targets(page, text):
            uri = _on_site(path)
            if files.get_file_from_path(uri) is not None:
                continue
            file = File.generated(config, uri, abs_src_path=str(ROOT / path))
            files.append(file)
            if path.endswith(".md"):
                waiting.append((uri, file.content_string))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Point links to neighbours in the repository to their places on the site."""
    here = page.file.src_uri
    where = _place(here).parent

    def moved(match: re.Match[str]) -> str:
        path = normpath(str(where / match["to"]))
        uri = _on_site(path)
        if files.get_file_from_path(uri) is None:
            return match[0]
        return f"{match['before']}{relpath(uri, str(PurePosixPath(here).parent))}{match['anchor'] or ''})"

    return _LINK.sub(moved, markdown)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Take the script that lets the search work on files from the site instead of the network."""
    return output.replace(
        _SHIM_ELSEWHERE, relpath(_SHIM_PLACE, str(PurePosixPath(page.file.dest_uri).parent))
    )


def on_post_template(output_content: str, **_: Any) -> str:
    """Do the same for pages that are no documents (404)."""
    return output_content.replace(_SHIM_ELSEWHERE, _SHIM_PLACE)
