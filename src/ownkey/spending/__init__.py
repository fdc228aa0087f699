"""What things cost: prices, quotes and bounds, in integer nano-USD. Pure but for reading the price catalogue."""
