"""All columns of the matrix, in the order of the table."""

from __future__ import annotations

from tests.matrix import columns_busybox, columns_debian, columns_logins, columns_servers, columns_shells
from tests.matrix.column import Column

COLUMNS: tuple[Column, ...] = (
    *columns_servers.COLUMNS,
    *columns_debian.COLUMNS,
    *columns_busybox.COLUMNS,
    *columns_logins.COLUMNS,
    *columns_shells.COLUMNS,
)
