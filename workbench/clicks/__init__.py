"""Clicks: the record, files and logs that hold them, made-up traffic, and the order in which the rule looks at them."""
