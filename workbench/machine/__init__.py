"""What the workbench needs of this machine: its folders, Java, and the jars of the lock."""
