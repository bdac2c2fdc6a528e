"""An AWS on one machine: moto, with its gaps closed, and an emulator of Amazon Personalize."""
