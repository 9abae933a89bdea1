"""The cost of traffic: price tables, the price of tokens, and the cost of a migration. Pure, in decimal arithmetic."""
