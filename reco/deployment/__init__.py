"""What can be done with a deployment that is there: train, batch, ask, send events, take back, take down."""
