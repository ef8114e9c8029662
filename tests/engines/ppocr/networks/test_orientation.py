from __future__ import annotations

import numpy as np
import pytest

from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.orientation import ORIENTATIONS, Orientation, OrientationModel
from tests.engines.ppocr import typeset


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_of_a_scan_is_found(networks: Networks, orientation: Orientation) -> None:
    rotated = np.ascontiguousarray(np.rot90(typeset.pixels(typeset.scan()), -orientation // 90))

    assert OrientationModel(networks).candidates(rotated)[0] == orientation
