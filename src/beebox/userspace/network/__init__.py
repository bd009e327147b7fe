"""The network that helpers ask: interfaces, routes, rules and neighbours that the user gives."""
