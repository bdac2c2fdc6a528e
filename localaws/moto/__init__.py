"""Closes the gaps of moto's server: what is missing, and what differs from the service in a way that an app can see."""
