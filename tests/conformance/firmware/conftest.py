"""The API's installation, which serves files too."""

from tests.api.conftest import api, front

__all__ = ["api", "front"]
