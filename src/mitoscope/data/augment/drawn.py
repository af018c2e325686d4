"""Everything that is drawn for one window: a record that can be kept, read and applied again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mitoscope.data.augment.config import AugmentConfig
from mitoscope.data.augment.contrast_transfer import Transfer
from mitoscope.data.augment.edge import Edge
from mitoscope.data.augment.hed import Hed
from mitoscope.data.augment.lighting import Lighting
from mitoscope.data.augment.normalise import macenko, reference
from mitoscope.data.augment.placement import Turn
from mitoscope.data.augment.stain import Stain
from mitoscope.data.augment.texture import Texture



@dataclass(frozen=True, slots=True)
class Drawn:
    """The changes of one window, in the order in which they are made.

    Parameters
    ----------
    turn : Turn
    transfer : Transfer, optional
        Contrast transfer, or Reinhard's normalisation.
    macenko : bool
    hed : Hed, optional
    stain : Stain, optional
    lighting : Lighting, optional
    texture : Texture
    edge : Edge
    """

    turn: Turn = Turn()
    transfer: Transfer | None = None
    macenko: bool = False
    hed: Hed | None = None
    stain: Stain | None = None
    lighting: Lighting | None = None
    texture: Texture = Texture()
    edge: Edge = Edge()

    def colour(self, rgb: Tensor) -> NDArray[np.uint8]:
        """Change the pixels of a placed window, float (1, 3, h, w) in [0, 1]; return them as uint8 (h, w, 3)."""
        if self.macenko:
            rgb = macenko(rgb)
        for change in (self.transfer, self.hed, self.stain, self.lighting):
            if change is not None:
                rgb = change.apply(rgb)
        return self.texture.apply(rgb)


def draw(random: np.random.Generator, config: AugmentConfig, bank: Tensor) -> Drawn:
    """Draw the changes of a window.

    Parameters
    ----------
    random : Generator
    config : AugmentConfig
    bank : Tensor, shape (n, 6)
        Colour statistics, see `build_bank`; without any there is no transfer.
    """
    turn = Turn.draw(random, config)
    kind = random.random()
    transfer, stained = None, config.contrast_transfer + config.reinhard
    if len(bank) and kind < config.contrast_transfer:
        transfer = Transfer.draw(random, bank)
    elif len(bank) and kind < stained:
        transfer = Transfer.towards(reference(bank))
    lit = config.lighting > 0 and random.random() < config.lighting_share
    return Drawn(
        turn,
        transfer,
        macenko=stained <= kind < stained + config.macenko,
        hed=Hed.draw(random, config.hed) if config.hed else None,
        stain=Stain.draw(random, config.stain_strength) if config.stain_strength else None,
        lighting=Lighting.draw(random, config.lighting) if lit else None,
        texture=Texture.draw(random, config),
        edge=Edge.draw(random, config.slide_edge),
    )
