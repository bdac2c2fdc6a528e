"""A shop's data on this machine: CSVs, files of events, MovieLens."""
