"""``mitoscope bundle get``, ``pack``, ``unpack``, ``list``: bundles that travel, and the user's shelf."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import JsonOption
from mitoscope.cli.terminal import bundle_as_json, say
from mitoscope.errors import ConfigError
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.bundle import Manifest, Offer


def get(
    address: Annotated[
        str,
        typer.Argument(metavar="URL", help="https://, s3://, gs:// or hf://OWNER/REPO[@REVISION][/PATH]."),
    ],
    fingerprint: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HASH", help="Expected fingerprint, as published by the author."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept the licence and download without asking.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Download a bundle to your shelf; its description and licence are shown first.

    Takes a packed bundle (.mitobundle) or the folder of a bundle. A stopped download continues.
    """
    from mitoscope.bundle import look_at
    from mitoscope.progress import progress

    wanted = None if fingerprint is None else _as_fingerprint(fingerprint)
    offer = look_at(address)
    for line in describe_offer(offer):
        typer.echo(line, err=as_json)
    if wanted not in (None, offer.fingerprint):
        raise ConfigError(
            f"has the fingerprint sha256:{offer.fingerprint}, which differs from --sha256",
            where=offer.address,
            mend="ask the author for the right fingerprint",
        )
    if not yes:
        _ask()
    with progress(offer.manifest.name, unit="MB", decimals=1, verb="fetched") as report:
        bundle = offer.fetch(report=lambda done, total: report(done / 1e6, total / 1e6))
    line = f"{bundle.manifest.source}: all hashes hold, self-test passed; it lies in {bundle.folder}"
    name = _name_of(bundle.manifest)
    say({**bundle_as_json(bundle), "model": name}, f"{line}\nuse it with --model {name}", as_json)


def _as_fingerprint(text: str) -> str:
    """Return a fingerprint as its 64 digits."""
    digits = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ConfigError(
            f"{text!r} is not a fingerprint",
            where="--sha256",
            mend="give the 64 digits (0 to 9, a to f) that the author published",
        )
    return digits


def _ask() -> None:
    """Ask whether to fetch what was shown."""
    if not sys.stdin.isatty():
        raise ConfigError(
            "not downloaded: the licence was not accepted",
            mend="read description and licence, then repeat with --yes",
        )
    if not typer.confirm("Fetch it under this licence?"):
        raise typer.Exit(1)


def _name_of(manifest: Manifest) -> str:
    """Return what ``--model`` calls a bundle of the shelf."""
    from mitoscope.bundle import shipped

    return f"{manifest.name}@{manifest.version}" if manifest.name in shipped() else manifest.name


def describe_offer(offer: Offer) -> list[str]:
    """Return what one has to know of a bundle before it is fetched."""
    manifest = offer.manifest
    kinds = "points" if manifest.kind == "points" else "scores of windows"
    lines = [
        f"{manifest.source}: {manifest.summary}",
        f"  {'from':<12}{offer.address}",
        f"  {'size':<12}{offer.size_bytes / 1e6:.1f} MB in {say_number(len(manifest.files), 'file')}",
        f"  {'sha256':<12}{offer.fingerprint}",
        f"  {'finds':<12}{', '.join(manifest.labels)} ({kinds}) at {manifest.mpp:g} µm/px",
    ]
    lines += [f"  {'trained on':<12}{source.name} ({source.licence})" for source in manifest.training]
    return [*lines, f"  {'licence':<12}{manifest.licence}"]


def pack(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or folder.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: NAME-VERSION.mitobundle, in this folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a bundle as one file; the same bundle gives the same bytes."""
    from mitoscope.bundle import SUFFIX, load_bundle, pack_bundle
    from mitoscope.written import sha256_file

    manifest = load_bundle(bundle).manifest
    target = out or Path(f"{manifest.name}-{manifest.version}{SUFFIX}")
    packed = pack_bundle(bundle, target)
    digest = sha256_file(target)
    lines = [
        f"{manifest.source} written to {target}, {target.stat().st_size / 1e6:.1f} MB",
        f"  {'fingerprint':<14}sha256:{packed.fingerprint}, which bundle get --sha256 takes",
        f"  {'file':<14}sha256:{digest}",
    ]
    values = {"bundle": manifest.source, "file": str(target), "fingerprint": packed.fingerprint}
    say({**values, "sha256": digest}, "\n".join(lines), as_json)


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed bundle.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New folder of the bundle; by default on the shelf."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Unpack a bundle, check every byte and run its self-test."""
    from mitoscope.bundle import manifest_at_head, place_on_shelf, read_head, unpack_bundle

    target = out
    if target is None:
        manifest, _ = manifest_at_head(read_head(file), where=str(file))
        target = place_on_shelf(manifest.name, manifest.version)
    bundle = unpack_bundle(file, target)
    line = f"{bundle.manifest.source}: all hashes hold, self-test passed; it lies in {bundle.folder}"
    if out is None:
        line += f"\nuse it with --model {_name_of(bundle.manifest)}"
    say(bundle_as_json(bundle), line, as_json)


def list_(as_json: JsonOption = False) -> None:
    """List the bundles that --model knows: shipped, and on your shelf."""
    import json

    from mitoscope.bundle import load_bundle, shelf_folder, shelved_bundles, shipped
    from mitoscope.cli.terminal import print_table
    from mitoscope.errors import BundleError

    rows: list[dict[str, object]] = []
    places = [("shipped", name, name) for name in shipped()]
    places += [("shelf", one.name, f"{one.name}@{one.version}") for one in shelved_bundles()]
    for place, name, key in places:
        row: dict[str, object] = {"place": place, "name": name, "model": key}
        try:
            bundle = load_bundle(key)
        except BundleError as error:
            typer.echo(f"warning: {error}", err=True)
            continue
        manifest = bundle.manifest
        row |= {
            "version": manifest.version,
            "licence": manifest.licence,
            "classes": list(manifest.labels),
            "kind": manifest.kind,
            "mpp": manifest.mpp,
            "fingerprint": bundle.fingerprint,
            "folder": str(bundle.folder),
        }
        rows.append(row)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    print_table(
        f"shelf: {shelf_folder()}",
        ["bundle", "version", "from", "classes", "µm/px", "licence"],
        [
            [
                row["name"],
                row["version"],
                row["place"],
                ", ".join(map(str, row["classes"])),  # type: ignore[call-overload]
                f"{row['mpp']:g}",
                row["licence"],
            ]
            for row in rows
        ],
    )
