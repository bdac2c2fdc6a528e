"""Pages that show what a deployment recommends."""
