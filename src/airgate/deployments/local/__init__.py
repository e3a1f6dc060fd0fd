"""The embedded engine as a deployment: the ports of `airgate.deployments.ports` over the store and the engine."""
