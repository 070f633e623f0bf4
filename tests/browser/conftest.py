"""One JupyterLab for all tests that need one, and a folder of it for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from workbench.broker.topics import Connection

if TYPE_CHECKING:
    from browser import Lab


@pytest.fixture(scope="session")
def shared_lab(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab whose kernels find the run's broker."""
    from browser import jupyter_lab

    root, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    env = {"WORKBENCH_BROKERS": connection.bootstrap}
    with jupyter_lab(root, home, token="a-token", env=env) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A folder of it that only this test has. Its kernels end with the test, and its settings."""
    yield shared_lab.within(request.node.name)
    shared_lab.end_kernels()
    shared_lab.keep_all_cells(False)
