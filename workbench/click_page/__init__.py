"""A page of ads to click on, which shows each visitor the verdicts on its clicks."""
