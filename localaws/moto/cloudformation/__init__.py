"""CloudFormation: moto's engine resolves a template; the resources are made by the services' own API calls."""
