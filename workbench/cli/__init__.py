"""The `workbench` command: arguments, output, a module for each longer command. The work is done elsewhere."""
