"""How many sockets this process, and what it starts, may open."""

import resource


def allow_open_files(count: int) -> None:
    """Raise the soft limit as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = count if hard == unlimited else min(count, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    assert hard == unlimited or hard >= count, f"this account may open {hard} files, and the test needs {count}"
