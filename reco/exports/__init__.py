"""A shop's exports: read in whatever form they have, understood, and converted to the CSVs of Personalize."""
