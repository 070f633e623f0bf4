"""What the detector said: verdict records, a live feed of them, and how they compare with rule and truth."""
