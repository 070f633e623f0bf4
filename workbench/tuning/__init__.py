"""What other windows and thresholds would flag: the surface, its charts, and the board that applies a choice."""
