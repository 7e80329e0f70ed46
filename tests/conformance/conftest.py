"""Cases of the certification documents are played on the installation of the stories."""

from tests.conformance.judged import network
from tests.stories.conftest import installation, plain_log, version, version2

__all__ = ["installation", "network", "plain_log", "version", "version2"]
