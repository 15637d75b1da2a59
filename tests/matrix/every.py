"""All columns of the matrix, in the order of the table."""

from __future__ import annotations

from tests.matrix import columns_logins, columns_servers, columns_userlands
from tests.matrix.column import Column

COLUMNS: tuple[Column, ...] = (*columns_servers.COLUMNS, *columns_userlands.COLUMNS, *columns_logins.COLUMNS)
