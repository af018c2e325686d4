"""The networks of a run: the detector and, where its scores are asked for, the second stage."""

from __future__ import annotations

from dataclasses import dataclass

from mitoscope.bundle import Bundle
from mitoscope.infer.cascade import quality_of, stage_of
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.engine import Network, open_bundle_network
from mitoscope.infer.verify import open_verifier
from mitoscope.infer.workers import Workers


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that a run needs.

    Parameters
    ----------
    detector : Network
    verifier : Network, optional
        The second stage, where its scores are asked for.
    further : Network, optional
        Its further looks at the candidates that the first one leaves in doubt.
    """

    detector: Network
    verifier: Network | None = None
    further: Network | None = None


def open_networks(bundle: Bundle, config: DetectConfig) -> Networks:
    """Open the networks of a bundle that a run needs.

    Raises
    ------
    BundleError
        If the bundle is no detector.
    ConfigError
        If a second stage is asked for that it does not have, or the provider is not there.
    BundleDamagedError
        If a graph changed since the bundle was loaded.
    """
    stage, quality = stage_of(bundle.manifest, config), quality_of(bundle.manifest, config)
    provider, threads = config.provider, Workers.of(config.threads).threads_each
    detector = open_bundle_network(bundle, provider=provider, threads=threads)
    if stage == "proposals":
        return Networks(detector)
    return Networks(detector, *open_verifier(bundle, quality, provider=provider, threads=threads))
