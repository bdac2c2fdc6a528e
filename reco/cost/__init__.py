"""What a deployment costs, and which capacity suits it."""
