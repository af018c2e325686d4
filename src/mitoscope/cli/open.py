"""``mitoscope open``: the application on a slide or a folder of slides, without a study to make first."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import MppOverrideOption, PortOption, ScalesOption

if TYPE_CHECKING:
    from mitoscope.web import OpenedStudy

STUDY = ".mito"
_OWN = "slides"
"""Name of the folder and study of who names none, in the user's data folder."""
_ENTRY = """[Desktop Entry]
Type=Application
Name=mitoscope
Comment=Mitotic figures in H&E slides (for research use only)
Exec="{python}" -m mitoscope open %f
Terminal=true
Categories=Science;MedicalSoftware;
MimeType=image/tiff;image/x-svs;inode/directory;
"""


def open_(
    slide: Annotated[
        Path | None,
        typer.Argument(metavar="SLIDE|FOLDER", help="A slide or a folder of slides."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser, or only print the link.")
    ] = True,
    port: PortOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Your name on labels and counts; default: your login.")
    ] = None,
    mpp: ScalesOption = None,
    mpp_override: MppOverrideOption = False,
    desktop: Annotated[
        bool, typer.Option("--desktop-entry", help="Add mitoscope to the desktop's menu (Linux), and stop.")
    ] = False,
) -> None:
    """Open a slide or a folder of slides in the browser: search, review, count and sign; Ctrl-C stops it.

    The study is kept beside the slides as NAME.mito, or where they cannot be written in your own data folder.
    Only this machine reaches it. The link opens one browser. A study that is open already is shown.
    """
    from mitoscope.errors import StoreBusyError
    from mitoscope.store import Round, RoundKind
    from mitoscope.web import open_study
    from mitoscope.web import serve as run
    from mitoscope.web.looking import Scales
    from mitoscope.web.serving import FIRST_ROUND, link_to_running

    if desktop:
        typer.echo(f"{_write_entry()}: mitoscope is in the menu; slides open with it")
        return
    scales = Scales.parse(mpp or (), override=mpp_override)
    folder, only = _where(slide)
    study = study_of(folder if only is None else folder / only)
    rounds = (Round("case review", RoundKind.CASE_REVIEW), FIRST_ROUND)
    try:
        opened = open_study(
            study,
            folders=[folder],
            add=True,
            only=None if only is None else {only},
            may_be_empty=only is None,
            rounds=rounds,
            lead=name or _login(),
            scales=scales,
        )
    except StoreBusyError:
        link = link_to_running(study, name or _login())
        if link is None:
            raise
        typer.echo("this study is open already")
        _say_link(link, browser=browser)
        return
    with opened.store as store:
        _say(opened)
        run(
            store,
            opened.slides,
            intake=opened.intake,
            port=port,
            opens_once=True,
            on_ready=lambda here, _: _show(f"{here}/?token={opened.token}", browser=browser),
        )
    typer.echo(f"stopped; everything that was acknowledged is in {study}")


def _where(named: Path | None) -> tuple[Path, str | None]:
    """Return the folder of the slides, and the name of a single one."""
    from mitoscope.errors import FormatError
    from mitoscope.fsio import make_directory

    if named is None:
        return make_directory(_data_folder() / _OWN), None
    if named.is_dir():
        return named.absolute(), None
    if not named.exists():
        raise FormatError("no such slide or folder", where=named, mend="name a slide or a folder of slides")
    return named.absolute().parent, named.name


def study_of(slides: Path) -> Path:
    """Return where the study of a slide or a folder is kept: beside it, or in the user's data folder.

    Parameters
    ----------
    slides : Path
        The slide or folder, absolute.
    """
    from mitoscope.fsio import make_directory, safe_name

    folder = slides if slides.is_dir() else slides.parent
    stem = slides.name if slides.is_dir() else slides.stem
    beside = folder / f"{safe_name(stem)}{STUDY}"
    if beside.exists() or os.access(folder, os.W_OK):
        return beside
    which = hashlib.sha256(os.fsencode(slides)).hexdigest()[:12]
    return make_directory(_data_folder() / "studies") / f"{safe_name(stem)}-{which}{STUDY}"


def _data_folder() -> Path:
    from mitoscope.errors import OutputError
    from mitoscope.written import data_folder

    found = data_folder()
    if found is None:
        mend = "put the slides into a folder that can be written"
        raise OutputError("no home folder to keep the study in", mend=mend)
    return found


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "me"


def _say(opened: OpenedStudy) -> None:
    from mitoscope.cli.serve import say_slides

    say_slides(opened)
    from mitoscope.web.routes.entry import is_page_built

    if not is_page_built():
        what = "the page of the application is not built, so the browser will show an error"
        typer.echo(f"warning: {what}; run python frontend/build.py (or make setup)", err=True)


def _show(link: str, *, browser: bool) -> None:
    _say_link(link, browser=False)
    typer.echo("Ctrl-C stops the server")
    if browser:  # a browser in the terminal would not come back before it ends
        threading.Thread(target=_browse, args=(link,), daemon=True).start()


def _say_link(link: str, *, browser: bool) -> None:
    typer.echo(f"open {link}")
    if browser:
        _browse(link)


def _browse(link: str) -> None:
    if not webbrowser.open(link):
        typer.echo("no browser was found: open the link yourself")


def _write_entry() -> Path:
    from mitoscope.errors import ConfigError
    from mitoscope.fsio import atomic_write, make_directory

    if platform.system() != "Linux":
        mend = "see docs/pathologists/open.md for opening slides by a double click on macOS and Windows"
        raise ConfigError("desktop entries exist on Linux only", where="--desktop-entry", mend=mend)
    share = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    path = make_directory(share / "applications") / "mitoscope.desktop"
    with atomic_write(path, replace=True) as stream:
        stream.write(_ENTRY.format(python=sys.executable).encode())
    return path
