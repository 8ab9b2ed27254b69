"""A minute of C{benchmarks/soak}: five daemons, random requests, deaths."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.soak import SETTINGS, Soak


@pytest.mark.limit(600)
def test_a_minute_of_it(tmp_path: Path) -> None:
    """Whatever is asked and whoever dies: nothing is lost, nothing is left, nothing grows."""
    cloud = Daemons(tmp_path / "cloud", *SETTINGS)
    told: list[str] = []
    try:
        cloud.up(free_plan(cloud.directory))
        image = cloud.publish("images", "tiny", b"a root disk" * 10_000)
        until(lambda: cloud.image_state(image) == "available", "the image")
        soak = Soak(cloud, image, 60.0, seed=2011, say=told.append)
        assert soak.run(), "\n".join(told)
    finally:
        cloud.close()
    assert soak.journal.requests > 100 and soak.journal.deaths.total() >= 2, "\n".join(told)
