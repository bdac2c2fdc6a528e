"""An emulator of Amazon Personalize: its three APIs on one port, with real training and real recommendations."""
