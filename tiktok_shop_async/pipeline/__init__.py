"""The way of one call, a module a stage; ``run`` shows their order."""
