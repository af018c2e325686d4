"""``mitoscope serve``: the labelling and review application of a study, in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import MppOverrideOption, PortOption, ScalesOption

if TYPE_CHECKING:
    from mitoscope.web import OpenedStudy
    from mitoscope.web.reach import Reach

LEAD = "lead"
"""Name of the first lead of a study; the page shows it beside the labels."""


def serve(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="The study; created from --slides if it does not exist.")
    ],
    slides: Annotated[
        list[Path] | None,
        typer.Option("--slides", metavar="DIR", help="Folder of the slides; remembered for the next time."),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add slides of the folder that the study lacks.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: PortOption = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A host name by which others reach the server."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="URL",
            help="Public address, e.g. of a proxy: https://labels.example.org.",
        ),
    ] = None,
    cert: Annotated[
        Path | None,
        typer.Option("--cert", metavar="FILE", help="Serve HTTPS with this certificate chain (PEM)."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Private key of --cert, without password.")
    ] = None,
    lead: Annotated[str, typer.Option("--lead", metavar="NAME", help="Name of the study's lead.")] = LEAD,
    no_link: Annotated[bool, typer.Option("--no-link", help="Disable sign-in (local use only).")] = False,
    mpp: ScalesOption = None,
    mpp_override: MppOverrideOption = False,
) -> None:
    """Open the labelling and review application of a study; Ctrl-C stops it.

    Prints the link of the study's lead, who adds raters and assigns the work on the page.
    """
    from mitoscope.errors import ConfigError
    from mitoscope.web import open_study
    from mitoscope.web import serve as run
    from mitoscope.web.gate import is_loopback
    from mitoscope.web.looking import Scales
    from mitoscope.web.reach import Certificate, parse_address
    from mitoscope.web.routes.entry import is_page_built

    if no_link and not (is_loopback(host) and address is None):
        what = "anybody in the network could write without signing in"
        where = f"--host {host}" if address is None else f"--address {address}"
        raise ConfigError(what, where=where, mend=f"leave --no-link out, or {where.split()[0]}")
    if key is not None and cert is None:
        raise ConfigError("a key without its certificate", where=f"--key {key}", mend="give --cert as well")
    certificate = None if cert is None else Certificate(cert, key)
    if certificate is not None:
        certificate.check()
    if address is not None:
        parse_address(address)
    scales = Scales.parse(mpp or (), override=mpp_override)
    opened = open_study(study, folders=slides or (), add=add, lead=lead, scales=scales)
    with opened.store as store:
        say_slides(opened)
        if not is_page_built():
            what = "the page of the application is not built, so the browser will show an error"
            typer.echo(f"warning: {what}; run python frontend/build.py (or make setup)", err=True)
        run(
            store,
            opened.slides,
            intake=opened.intake,
            host=host,
            port=port,
            hosts=allow_host or (),
            address=address,
            certificate=certificate,
            visitor_without_link=opened.lead_id if no_link else None,
            on_ready=lambda here, reach: _say_links(here, reach, None if no_link else opened.token),
        )
    typer.echo("stopped; everything that was acknowledged is in the study")


def say_slides(opened: OpenedStudy) -> None:
    """Print how many slides can be shown, and what is wrong with the others."""
    shown = opened.slides.all()
    ready = sum(slide.state == "ok" for slide in shown)
    typer.echo(f"{opened.store.path}: {ready} of {len(shown)} slides can be shown")
    for slide in shown:
        if slide.state != "ok":
            hints = [] if slide.hint_mpp is None else [f"{slide.hint_mpp:g} by its objective"]
            if slide.nuclei is not None:
                low, high = slide.nuclei.low, slide.nuclei.high
                hints.append(f"{slide.nuclei.mpp:g} by the size of its nuclei, {low:.2f} to {high:.2f}")
            hint = f" ({'; '.join(hints)})" if hints else ""
            typer.echo(f"  {slide.record.name}: {slide.reason}; {slide.mend}{hint}")
    for name, error in opened.intake.refused.items():
        typer.echo(f"  {name}: {error.what}; not added to the study")
    if not opened.intake.is_done:
        typer.echo(f"  {opened.intake.of - opened.intake.done} more files are being checked while you work")


def _say_links(here: str, reach: Reach, token: str | None) -> None:
    query = "" if token is None else f"/?token={token}"
    typer.echo(f"open {here}{query}")
    for address in reach.others[:1]:
        if address != here:
            typer.echo(f"from other machines {address}{query}")
    typer.echo("Ctrl-C stops the server")
