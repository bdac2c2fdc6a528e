"""What one capability writes and another reads: a file for each table, document or prefix."""
