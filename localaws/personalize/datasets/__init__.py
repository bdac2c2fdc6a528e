"""Datasets of a dataset group: bulk imports, individual records, and the tables made of both."""
