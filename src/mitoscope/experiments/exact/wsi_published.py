"""What the papers of CMC and CCMCT print of each slide: tumour area, and labelled cells by variant."""

from __future__ import annotations

from typing import Final, NamedTuple


class CmcSlide(NamedTuple):
    """A row of CMC Table 1.

    Parameters
    ----------
    number : int
        Of the case, in the order of the table.
    area_mm2 : float
        Of the tumour, as printed.
    figures, look_alikes : tuple of int
        In MEL, ODAEL and CODAEL.
    tests : bool
        Whether it is a test slide, after the erratum of August 2021.
    """

    number: int
    area_mm2: float
    figures: tuple[int, int, int]
    look_alikes: tuple[int, int, int]
    tests: bool


class CcmctSlide(NamedTuple):
    """A slide of CCMCT.

    Parameters
    ----------
    area_mm2 : float
        Of the tumour, as the paper prints it.
    figures, look_alikes : int
        In ODAEL, as in the published list of labels.
    tests : bool
        Whether it is a test slide.
    """

    area_mm2: float
    figures: int
    look_alikes: int
    tests: bool


CMC_VARIANTS: Final = ("MEL", "ODAEL", "CODAEL")
CMC_TABLE_1: Final = {
    "4eee7b944ad5e46c60ce": CmcSlide(1, 66.06, (47, 61, 64), (114, 196, 193), tests=True),
    "a8773be388e12df89edd": CmcSlide(2, 37.01, (64, 71, 74), (204, 591, 588), tests=False),
    "deb768e5efb9d1dcbc13": CmcSlide(3, 187.43, (92, 96, 84), (287, 472, 484), tests=False),
    "e09512d530d933e436d5": CmcSlide(4, 214.97, (87, 98, 102), (602, 742, 738), tests=True),
    "72c93e042d0171a61012": CmcSlide(5, 26.29, (130, 151, 140), (375, 680, 691), tests=False),
    "2d56d1902ca533a5b509": CmcSlide(6, 49.32, (139, 155, 153), (228, 365, 367), tests=True),
    "084383c18b9060880e82": CmcSlide(7, 41.71, (157, 173, 160), (404, 547, 560), tests=False),
    "da18e7b9846e9d38034c": CmcSlide(8, 253.10, (187, 210, 211), (991, 1354, 1353), tests=False),
    "13528f1921d4f1f15511": CmcSlide(9, 339.93, (283, 301, 292), (963, 1127, 1136), tests=True),
    "d0423ef9a648bb66a763": CmcSlide(10, 273.88, (378, 411, 354), (1143, 1596, 1653), tests=False),
    "69a02453620ade0edefd": CmcSlide(11, 45.35, (634, 642, 612), (1407, 1505, 1535), tests=True),
    "d37ab62158945f22deed": CmcSlide(12, 226.39, (578, 651, 674), (1105, 1725, 1702), tests=False),
    "d7a8af121d7d4f3fbf01": CmcSlide(13, 426.92, (716, 746, 720), (1832, 2373, 2399), tests=False),
    "460906c0b1fe17ea5354": CmcSlide(14, 112.24, (673, 742, 754), (1199, 2480, 2468), tests=False),
    "b1bdee8e5e3372174619": CmcSlide(15, 231.84, (812, 861, 869), (1260, 1832, 1824), tests=True),
    "c4b95da36e32993289cb": CmcSlide(16, 257.01, (1097, 1114, 1085), (2454, 2944, 2973), tests=False),
    "022857018aa597374b6c": CmcSlide(17, 325.81, (1290, 1344, 1320), (2463, 3106, 3130), tests=True),
    "50cf88e9a33df0c0c8f9": CmcSlide(18, 269.25, (1197, 1339, 1337), (1632, 2550, 2552), tests=False),
    "3d3d04eca056556b0b26": CmcSlide(19, 513.28, (1383, 1465, 1447), (2110, 2933, 2951), tests=False),
    "2191a7aa287ce1d5dbc0": CmcSlide(20, 96.38, (1449, 1485, 1462), (2155, 2609, 2632), tests=False),
    "fa4959e484beec77543b": CmcSlide(21, 365.91, (1949, 2035, 1993), (3598, 4408, 4450), tests=False),
}
"""CMC Table 1 (printed by the notebook of the authors); cells that are marked as deleted are among them."""
CCMCT_VARIANTS: Final = ("MEL", "HEAEL", "ODAEL")
CCMCT_SLIDES: Final = {
    "2f2591b840e83a4b4358": CcmctSlide(144.79, 3, 48, tests=False),
    "ce949341ba99845813ac": CcmctSlide(13.94, 4, 30, tests=False),
    "91a8e57ea1f9cb0aeb63": CcmctSlide(25.24, 6, 16, tests=False),
    "9374efe6ac06388cc877": CcmctSlide(35.63, 7, 17, tests=False),
    "0e56fd11a762be0983f0": CcmctSlide(25.63, 8, 262, tests=False),
    "dd6dd0d54b81ebc59c77": CcmctSlide(62.25, 11, 57, tests=False),
    "be10fa37ad6e88e1f406": CcmctSlide(14.87, 12, 55, tests=True),
    "2e611073cff18d503cea": CcmctSlide(81.64, 18, 137, tests=False),
    "066c94c4c161224077a9": CcmctSlide(115.49, 19, 54, tests=False),
    "285f74bb6be025a676b6": CcmctSlide(83.07, 19, 48, tests=False),
    "f3741e764d39ccc4d114": CcmctSlide(39.23, 37, 115, tests=True),
    "c86cd41f96331adf3856": CcmctSlide(189.02, 56, 75, tests=True),
    "2efb541724b5c017c503": CcmctSlide(21.27, 66, 24, tests=False),
    "70ed18cd5f806cf396f0": CcmctSlide(88.30, 85, 880, tests=False),
    "552c51bfb88fd3e65ffe": CcmctSlide(185.63, 119, 670, tests=True),
    "3f2e034c75840cb901e6": CcmctSlide(103.25, 571, 350, tests=False),
    "8c9f9618fcaca747b7c3": CcmctSlide(312.96, 715, 1212, tests=True),
    "c91a842257ed2add5134": CcmctSlide(160.25, 759, 690, tests=True),
    "dd4246ab756f6479c841": CcmctSlide(238.22, 777, 525, tests=True),
    "8bebdd1f04140ed89426": CcmctSlide(213.66, 1000, 534, tests=False),
    "2f17d43b3f9e7dacf24c": CcmctSlide(87.86, 1157, 477, tests=False),
    "a0c8b612fe0655eab3ce": CcmctSlide(261.85, 1279, 1407, tests=False),
    "ac1168b2c893d2acad38": CcmctSlide(346.26, 1329, 474, tests=False),
    "fff27b79894fe0157b08": CcmctSlide(256.29, 1744, 1466, tests=False),
    "34eb28ce68c1106b2bac": CcmctSlide(190.18, 2279, 1297, tests=False),
    "f26e9fcef24609b988be": CcmctSlide(136.58, 2380, 459, tests=True),
    "96274538c93980aad8d6": CcmctSlide(188.35, 3068, 3762, tests=True),
    "add0a9bbc53d1d9bac4c": CcmctSlide(242.71, 3569, 1759, tests=True),
    "39ecf7f94ed96824405d": CcmctSlide(220.56, 3689, 3412, tests=False),
    "20c0753af38303691b27": CcmctSlide(269.48, 4343, 2024, tests=False),
    "c3eb4b8382b470dd63a9": CcmctSlide(149.74, 4767, 1326, tests=False),
    "1018715d369dd0df2fc0": CcmctSlide(337.88, 10984, 4303, tests=True),
}
"""Areas of CCMCT Table 1; figures and look-alikes of the published labels, ODAEL."""
CCMCT_TEST_FIGURES: Final = {"MEL": 21551, "HEAEL": 21571, "ODAEL": 22476}
"""Mitotic figures of the test slides by variant."""
CCMCT_TOTAL_MM2: Final = 4842.06
"""Tumour area of all slides, as printed."""
