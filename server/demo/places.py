"""Where the county's villages and homes are: on land, inside the county, and always the same for a village."""

from __future__ import annotations

import math
from random import Random

from shapely import Point, Polygon

# The county coarsely, without the lake (longitude, latitude): its western side follows the shore at some distance.
COUNTY_LAND = Polygon(
    [(100.25, 37.20), (100.45, 37.45), (100.90, 37.60), (101.20, 37.30), (101.25, 36.95), (101.00, 36.60), (100.78, 36.60), (100.78, 36.98), (100.55, 37.16)]
)
# By township: synthetic centres, since most villages' codes are synthetic too.
_CENTRES = {
    "632223190": (36.897, 100.994), "632223191": (36.955, 100.900), "632223290": (36.930, 101.080), "632223291": (37.250, 100.950),
    "632223202": (36.740, 100.880), "632223292": (37.240, 100.560),
}  # fmt: skip
_KM_PER_DEGREE = 111.2
_VILLAGE_KM, _HOME_KM = 9.0, 2.5


def village_centre(code: str) -> tuple[float, float]:
    """Latitude and longitude of the village of this code."""
    centre = _CENTRES.get(code[:9], (37.0, 100.95))
    return _near(Random(f"village {code}"), centre, _VILLAGE_KM)


def home_near(random: Random, centre: tuple[float, float]) -> tuple[float, float]:
    """Latitude and longitude of a home of the village."""
    return _near(random, centre, _HOME_KM)


def _near(random: Random, centre: tuple[float, float], radius_km: float) -> tuple[float, float]:
    while True:
        found = moved(centre, radius_km * math.sqrt(random.random()), random.uniform(0, 2 * math.pi))
        if COUNTY_LAND.contains(Point(found[1], found[0])):
            return found


def moved(place: tuple[float, float], km: float, bearing: float) -> tuple[float, float]:
    """The place so many kilometres away, `bearing` in radians from north."""
    latitude = place[0] + km * math.cos(bearing) / _KM_PER_DEGREE
    longitude = place[1] + km * math.sin(bearing) / (_KM_PER_DEGREE * math.cos(math.radians(place[0])))
    return latitude, longitude


def as_answer(random: Random, place: tuple[float, float], *, jitter_m: float = 8) -> str:
    """The place as a phone fixes it: latitude, longitude, altitude, accuracy in metres."""
    fixed = moved(place, random.gauss(0, jitter_m) / 1000, random.uniform(0, math.pi))
    return f"{fixed[0]:.6f} {fixed[1]:.6f} {random.gauss(3150, 60):.1f} {random.uniform(3, 14):.1f}"
