"""The `workbench` command: its arguments, its output, and one module for each longer command."""
