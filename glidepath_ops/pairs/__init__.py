"""Look at stored pairs: select them, read their bodies, show them, export them."""
