"""Sources: what users name, opened, unpacked and divided into rows of raw cells. None of it is believed here."""
