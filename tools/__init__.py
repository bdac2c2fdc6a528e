"""What only the developers of the project run."""
