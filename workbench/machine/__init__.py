"""What the workbench needs of this machine: folders, Java, the jars of the lock, extras. Nothing of clicks."""
