"""The file store of an installation: the one place that knows which adapters there are."""

from __future__ import annotations

from ohmstead.adapters.storage.directory import DirectoryStorage
from ohmstead.settings import Settings
from ohmstead.stations.files.ports import Storage


def storage_of(settings: Settings) -> Storage:
    """S3 where the settings name a bucket, else a directory beside the rest of the data."""
    if settings.files_bucket_url is not None:
        from ohmstead.adapters.storage.s3 import S3Storage  # its library is large, and few need it

        return S3Storage(settings.files_bucket_url)
    return DirectoryStorage(settings.data_dir / "files")
