"""Reports to hand on: what was found, the evidence for it, and the page that a notebook becomes."""
