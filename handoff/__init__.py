"""Gate 3, the moving: the brief, routing, hours, destinations."""
