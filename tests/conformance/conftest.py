"""Cases of the certification documents are played on the installation of the stories."""

from tests.stories.conftest import installation, network, plain_log, version, version2

__all__ = ["installation", "network", "plain_log", "version", "version2"]
