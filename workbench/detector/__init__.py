"""The detector: the rule as a streaming query, and what starts, watches, changes and ends it. No charts."""
