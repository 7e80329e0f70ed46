"""The API's installation, which serves files too; and a network with an image."""

from collections.abc import Iterator

import pytest

from tests.api.conftest import api, front, stranger
from tests.api.door import Front

__all__ = ["api", "front", "stranger"]


@pytest.fixture(autouse=True)
def fresh_start(front: Front) -> Iterator[None]:
    """All tests come from one address, and many of them do what they should not."""
    yield
    front.file_attempts.forget("127.0.0.1")
