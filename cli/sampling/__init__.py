"""How each kind of sample is installed and fired. A kind is one file, and one line in `kinds`."""
