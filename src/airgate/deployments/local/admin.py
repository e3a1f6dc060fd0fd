"""Pools, variables and connections of the embedded engine."""

from __future__ import annotations

from airgate.engine.service import Engine
from airgate.model.admin import Connection, Pool, PoolUsage, Variable
from airgate.model.query import Listing, Order, Page
from airgate.store import connections, pools, tasks, variables
from airgate.store.database import Database, Tx


class LocalPools:
    """Implements `airgate.deployments.ports.Pools`."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def list(self, order: Order, page: Page) -> Listing[tuple[Pool, PoolUsage]]:
        """See the port."""

        def read(tx: Tx) -> Listing[tuple[Pool, PoolUsage]]:
            found = pools.list_pools(tx, order, page)
            usage = tasks.pool_usage(tx)
            return Listing(tuple((pool, usage.get(pool.name, PoolUsage())) for pool in found.items), found.total)

        return await self._database.read(read)

    async def get(self, name: str) -> tuple[Pool, PoolUsage]:
        """See the port."""

        def read(tx: Tx) -> tuple[Pool, PoolUsage]:
            return pools.get(tx, name), tasks.pool_usage(tx).get(name, PoolUsage())

        return await self._database.read(read)

    async def create(self, pool: Pool) -> Pool:
        """See the port."""
        made = await self._database.write(pools.create, pool)
        await self._engine.pools_changed()
        return made

    async def update(self, name: str, pool: Pool) -> Pool:
        """See the port."""
        made = await self._database.write(pools.update, name, pool)
        await self._engine.pools_changed()
        return made

    async def delete(self, name: str) -> None:
        """See the port."""
        await self._database.write(pools.delete, name)
        await self._engine.pools_changed()


class LocalVariables:
    """Implements `airgate.deployments.ports.Variables`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, order: Order, page: Page) -> Listing[Variable]:
        """See the port."""
        return await self._database.read(variables.list_variables, order, page)

    async def get(self, key: str) -> Variable:
        """See the port."""
        return await self._database.read(variables.get, key)

    async def put(self, variable: Variable) -> Variable:
        """See the port."""
        return await self._database.write(variables.put, variable)

    async def delete(self, key: str) -> None:
        """See the port."""
        await self._database.write(variables.delete, key)


class LocalConnections:
    """Implements `airgate.deployments.ports.Connections`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, order: Order, page: Page) -> Listing[Connection]:
        """See the port."""
        return await self._database.read(connections.list_connections, order, page)

    async def get(self, connection_id: str) -> Connection:
        """See the port."""
        return await self._database.read(connections.get, connection_id)

    async def create(self, connection: Connection) -> Connection:
        """See the port."""
        return await self._database.write(connections.create, connection)

    async def update(self, connection_id: str, connection: Connection) -> Connection:
        """See the port."""
        return await self._database.write(connections.update, connection_id, connection)

    async def delete(self, connection_id: str) -> None:
        """See the port."""
        await self._database.write(connections.delete, connection_id)
